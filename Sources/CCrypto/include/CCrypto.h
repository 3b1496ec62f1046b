#pragma once
/* OpenSSL's libcrypto, loaded when it is first asked for: only `backhaul doctor` reads certificates, and every other command
   would spend a part of its start on it. `crypto.c` defines each function of OpenSSL's headers that we call, by OpenSSL's own
   name; nothing links against libcrypto. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Why libcrypto cannot be used, or NULL when it can. Loads it. No other function may be called before this returned NULL. */
const char *crypto_library_trouble(void);

/* ASN1_TIME is a struct that Swift sees in OpenSSL 3 and an opaque one in OpenSSL 4. This name means either. */
typedef const ASN1_TIME *crypto_time;

/* OPENSSL_secure_clear_free is a macro, which Swift cannot call. It overwrites the bytes before it frees them. */
static inline void crypto_clear_free(void *bytes, size_t count) { OPENSSL_secure_clear_free(bytes, count); }

/* Macros of casts and sums do not reach Swift. XN_FLAG_RFC2253 prints a name as RFC 4514, the successor, has it. */
static const unsigned long crypto_name_flags = XN_FLAG_RFC2253;
