/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/handle.h"

#include "fs/session.h"

void handles_init(struct handles *handles)
{
	pthread_mutex_init(&handles->lock, NULL);
	handles->head.next = handles->head.previous = &handles->head;
}

void handle_open(struct handles *handles, struct handle *handle, void (*close)(struct fs *fs, struct handle *handle))
{
	handle->close = close;
	handle->next = &handles->head;
	pthread_mutex_lock(&handles->lock);
	handle->previous = handles->head.previous;
	handle->previous->next = handle;
	handles->head.previous = handle;
	pthread_mutex_unlock(&handles->lock);
}

void handle_close(struct fs *fs, struct handle *handle)
{
	pthread_mutex_lock(&fs->handles.lock);
	handle->previous->next = handle->next;
	handle->next->previous = handle->previous;
	pthread_mutex_unlock(&fs->handles.lock);
	handle->close(fs, handle);
}

void handles_close_all(struct fs *fs)
{
	while (fs->handles.head.next != &fs->handles.head)
		handle_close(fs, fs->handles.head.next);
}
