// OpenSSL 3, with functions in place of the macros and variadics that Swift cannot call.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// What every context has in common. No renegotiation, no compression; the server's order of ciphers,
// with ChaCha20 first for clients that prefer it (they have no AES instructions); buffers given back
// between records, so that an idle connection is cheap.
static inline int copenssl_set_defaults(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline void copenssl_set_servername_callback(SSL_CTX *context,
                                                    int (*callback)(SSL *, int *, void *),
                                                    void *argument) {
  SSL_CTX_set_tlsext_servername_callback(context, callback);
  SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline int copenssl_set_server_name(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

// The list owns its names.
static inline STACK_OF(X509_NAME) *copenssl_new_names(void) { return sk_X509_NAME_new_null(); }
static inline int copenssl_push_name(STACK_OF(X509_NAME) *names, const X509_NAME *name) {
  X509_NAME *copy = X509_NAME_dup(name);
  if (copy && sk_X509_NAME_push(names, copy) > 0) return 1;
  X509_NAME_free(copy);
  return 0;
}

static inline void copenssl_want_read(BIO *bio) {
  BIO_clear_retry_flags(bio);
  BIO_set_retry_read(bio);
}
static inline void copenssl_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline EVP_PKEY *copenssl_new_p256_key(void) { return EVP_EC_gen("P-256"); }

static inline long copenssl_memory(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

static inline int copenssl_chain_count(const STACK_OF(X509) *chain) {
  return chain ? sk_X509_num(chain) : 0;
}
static inline X509 *copenssl_chain_get(const STACK_OF(X509) *chain, int index) {
  return sk_X509_value(chain, index);
}

// The alternative names of a certificate: `names` is GENERAL_NAMES, or null.
static inline int copenssl_names_count(const GENERAL_NAMES *names) {
  return names ? sk_GENERAL_NAME_num(names) : 0;
}
// Type of the name (GEN_DNS, GEN_IPADD, GEN_URI, …) and its bytes, which `names` owns; or -1.
static inline int copenssl_name_get(const GENERAL_NAMES *names, int index,
                                    const unsigned char **bytes, int *length) {
  int type;
  void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
  if (type != GEN_DNS && type != GEN_IPADD && type != GEN_URI && type != GEN_EMAIL) return -1;
  *bytes = ASN1_STRING_get0_data((ASN1_STRING *)value);
  *length = ASN1_STRING_length((ASN1_STRING *)value);
  return type;
}

// RFC 2253, in UTF-8 as it is.
static inline int copenssl_print_name(BIO *bio, const X509_NAME *name) {
  return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
}
