/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"

void (*fault_hook)(const char *name);
