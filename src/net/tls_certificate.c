/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_certificate.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 2 * SHA256_BYTES + 1, NAME_MAX_BYTES = 128, NAMES_SHOWN = 3, REREAD_AFTER_MS = 3600 * 1000 };

static void certificates_free(STACK_OF(X509) * certificates)
{
	sk_X509_pop_free(certificates, X509_free);
}

DEFINE_CLEANUP(certificates, STACK_OF(X509) *, certificates_free)
DEFINE_CLEANUP(store, X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(chain, X509_STORE_CTX *, X509_STORE_CTX_free)
DEFINE_CLEANUP(names, GENERAL_NAMES *, GENERAL_NAMES_free)

/* What the system trusts, read once for all sessions: 20 ms and some megabytes. Read again each hour, for a daemon runs longer
 * than an authority may be trusted. */
static struct {
	pthread_mutex_t lock;
	X509_STORE *store; /* own, and of each session that uses it */
	int64_t read_ms;
} system_trust = { .lock = PTHREAD_MUTEX_INITIALIZER };

static X509_STORE *read_system_store(void)
{
	X509_STORE *store = X509_STORE_new();

	if (store && X509_STORE_set_default_paths(store) == 1)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static X509_STORE *system_store(void)
{
	int64_t now_ms = clock_monotonic_ms();
	X509_STORE *store;

	pthread_mutex_lock(&system_trust.lock);
	if (!system_trust.store || now_ms - system_trust.read_ms > REREAD_AFTER_MS) {
		X509_STORE_free(system_trust.store);
		system_trust.store = read_system_store();
		system_trust.read_ms = now_ms;
	}
	store = system_trust.store;
	if (store)
		X509_STORE_up_ref(store);
	pthread_mutex_unlock(&system_trust.lock);
	return store;
}

/* A pin decides alone, so that nothing else needs to be known. */
int tls_certificate_store(const struct tls_certificate_check *check, X509_STORE **ret)
{
	const char *ca = check->options->fingerprint ? NULL : check->options->ca;
	CLEANUP(store) X509_STORE *store = ca || check->options->fingerprint ? X509_STORE_new() : system_store();

	if (!store)
		return -ENOMEM;
	if (ca && X509_STORE_load_locations(store, ca, NULL) != 1) {
		buf_printf(check->why, "%s: tls-ca %s: not a readable PEM file of certificates", check->host, ca);
		return -EINVAL;
	}
	*ret = steal_pointer(&store);
	return 0;
}

int tls_certificate_expect(const struct tls_certificate_check *check, X509_VERIFY_PARAM *parameters)
{
	/* Whatever the user named is an anchor, an intermediate authority or a server's own certificate too. */
	if (check->options->ca)
		X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_ip_asc(parameters, check->host) == 1)
		return 0;
	return X509_VERIFY_PARAM_set1_host(parameters, check->host, 0) == 1 ? 0 : -ENOMEM;
}

static void fingerprint_text(const X509 *certificate, char text[SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

	X509_digest(certificate, EVP_sha256(), digest, NULL);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static bool fingerprint_matches(const X509 *certificate, const char *hex)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char *pinned;
	long pinned_len;
	bool same;

	if (X509_digest(certificate, EVP_sha256(), digest, NULL) != 1)
		return false;
	pinned = OPENSSL_hexstr2buf(hex, &pinned_len);
	same = pinned && pinned_len == SHA256_BYTES && CRYPTO_memcmp(pinned, digest, SHA256_BYTES) == 0;
	OPENSSL_free(pinned);
	return same;
}

/* A certificate's text is its maker's: cut, and without what could draw on a terminal. */
static void append_name(struct buf *out, const void *text, size_t len)
{
	const unsigned char *bytes = text;

	for (size_t i = 0; i < len && i < NAME_MAX_BYTES; i++)
		buf_append_char(out, bytes[i] < ' ' || bytes[i] == 0x7f ? '?' : (char)bytes[i]);
}

static bool append_name_entry(struct buf *out, const X509_NAME *name, int nid)
{
	int i = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;
	int len;

	if (i < 0)
		return false;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	if (len <= 0)
		return false;
	append_name(out, text, (size_t)len);
	OPENSSL_free(text);
	return true;
}

static void append_party(struct buf *out, const X509_NAME *name)
{
	if (append_name_entry(out, name, NID_commonName) || append_name_entry(out, name, NID_organizationName))
		return;
	buf_append_str(out, "one without a name");
}

static bool append_alternative_name(struct buf *out, const GENERAL_NAME *name)
{
	char address[INET6_ADDRSTRLEN];
	const ASN1_OCTET_STRING *ip;

	if (name->type == GEN_DNS) {
		append_name(out, ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
		return true;
	}
	if (name->type != GEN_IPADD)
		return false;
	ip = name->d.iPAddress;
	if (!inet_ntop(ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), address, sizeof address))
		return false;
	return buf_append_str(out, address) == 0;
}

/* "mail.example.org, www.example.org and 12 more" */
static void append_names(struct buf *out, const X509 *certificate)
{
	CLEANUP(names) GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int shown = 0, count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && (name->type != GEN_IPADD || ASN1_STRING_length(name->d.iPAddress) % 12 != 4))
			continue;
		if (count++ >= NAMES_SHOWN)
			continue;
		if (shown++)
			buf_append_str(out, ", ");
		append_alternative_name(out, name);
	}
	if (!count)
		append_party(out, X509_get_subject_name(certificate));
	else if (count > shown)
		buf_printf(out, " and %d more", count - shown);
}

static void append_date(struct buf *out, const ASN1_TIME *time)
{
	char date[32] = "an unreadable date";
	struct tm tm;

	if (time && ASN1_TIME_to_tm(time, &tm) == 1)
		strftime(date, sizeof date, "%Y-%m-%d", &tm);
	buf_append_str(out, date);
}

struct refusal {
	const X509 *own;    /* the server's certificate */
	const X509 *faulty; /* the one of the chain that is wrong */
	const char *host;
};

static void append_validity(struct buf *out, const struct refusal *r, const char *fault, const ASN1_TIME *time)
{
	if (r->faulty == r->own) {
		buf_printf(out, "certificate %s ", fault);
	} else {
		buf_append_str(out, "certificate of the authority ");
		append_party(out, X509_get_subject_name(r->faulty));
		buf_printf(out, " %s ", fault);
	}
	append_date(out, time);
}

static void explain_expired(struct buf *out, const struct refusal *r)
{
	append_validity(out, r, "expired on", X509_get0_notAfter(r->faulty));
}

static void explain_not_yet_valid(struct buf *out, const struct refusal *r)
{
	append_validity(out, r, "is valid only from", X509_get0_notBefore(r->faulty));
	buf_append_str(out, "; is this machine's clock right?");
}

static void explain_wrong_host(struct buf *out, const struct refusal *r)
{
	buf_append_str(out, "certificate is for ");
	append_names(out, r->own);
	buf_printf(out, ", not %s", r->host);
}

static void explain_self_signed(struct buf *out, const struct refusal *r)
{
	char fingerprint[SHA256_HEX];

	fingerprint_text(r->own, fingerprint);
	buf_printf(out, "self-signed certificate; to trust it: tls-fingerprint = sha256:%s", fingerprint);
}

static void explain_unknown_authority(struct buf *out, const struct refusal *r)
{
	char fingerprint[SHA256_HEX];

	fingerprint_text(r->own, fingerprint);
	buf_append_str(out, "certificate of an unknown authority, ");
	append_party(out, X509_get_issuer_name(r->faulty));
	buf_printf(out, "; to trust it: tls-ca = FILE, or tls-fingerprint = sha256:%s", fingerprint);
}

static const struct {
	int error;
	void (*explain)(struct buf *out, const struct refusal *r);
} explanations[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, explain_expired },
	{ X509_V_ERR_CERT_NOT_YET_VALID, explain_not_yet_valid },
	{ X509_V_ERR_HOSTNAME_MISMATCH, explain_wrong_host },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, explain_wrong_host },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, explain_self_signed },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, explain_unknown_authority },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, explain_unknown_authority },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, explain_unknown_authority },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, explain_unknown_authority },
};

static void explain(X509_STORE_CTX *chain, const struct tls_certificate_check *check)
{
	struct refusal r = { X509_STORE_CTX_get0_cert(chain), X509_STORE_CTX_get_current_cert(chain), check->host };
	int error = X509_STORE_CTX_get_error(chain);

	if (!r.faulty)
		r.faulty = r.own;
	buf_printf(check->why, "%s: ", check->host);
	for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++)
		if (explanations[i].error == error) {
			explanations[i].explain(check->why, &r);
			return;
		}
	buf_printf(check->why, "certificate refused: %s", X509_verify_cert_error_string(error));
}

int tls_certificate_verify(X509_STORE_CTX *chain, void *argument)
{
	const struct tls_certificate_check *check = argument;
	const X509 *own = X509_STORE_CTX_get0_cert(chain);
	char fingerprint[SHA256_HEX];

	if (!check->options->fingerprint) {
		if (X509_verify_cert(chain) == 1)
			return 1;
		explain(chain, check);
		return 0;
	}
	if (fingerprint_matches(own, check->options->fingerprint)) {
		X509_STORE_CTX_set_error(chain, X509_V_OK);
		return 1;
	}
	fingerprint_text(own, fingerprint);
	buf_printf(check->why, "%s: not the certificate of tls-fingerprint, but sha256:%s", check->host, fingerprint);
	X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static int read_certificates(const char *const *pem, size_t n, STACK_OF(X509) * certificates)
{
	for (size_t i = 0; i < n; i++) {
		BIO *bio = BIO_new_mem_buf(pem[i], -1);
		X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

		BIO_free(bio);
		if (!certificate || !sk_X509_push(certificates, certificate)) {
			X509_free(certificate);
			return -EKEYREJECTED;
		}
	}
	return n ? 0 : -EKEYREJECTED;
}

int tls_verify_chain(const char *const *pem, size_t n, const char *host, const struct tls_options *options, struct buf *why)
{
	struct tls_certificate_check check = { host, options, why };
	CLEANUP(certificates) STACK_OF(X509) *certificates = sk_X509_new_null();
	CLEANUP(store) X509_STORE *store = NULL;
	CLEANUP(chain) X509_STORE_CTX *chain = X509_STORE_CTX_new();
	int r;

	if (!certificates || !chain)
		return -ENOMEM;
	r = read_certificates(pem, n, certificates);
	if (r < 0) {
		buf_printf(why, "%s: unreadable certificate", host);
		return r;
	}
	r = tls_certificate_store(&check, &store);
	if (r < 0)
		return r;
	if (X509_STORE_CTX_init(chain, store, sk_X509_value(certificates, 0), certificates) != 1)
		return -ENOMEM;
	X509_STORE_CTX_set_default(chain, "ssl_server");
	r = tls_certificate_expect(&check, X509_STORE_CTX_get0_param(chain));
	if (r < 0)
		return r;
	return tls_certificate_verify(chain, &check) == 1 ? 0 : -EKEYREJECTED;
}
