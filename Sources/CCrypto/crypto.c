#include "CCrypto.h"

/* The version of the headers: another one's structures and functions may differ. */
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define LIBRARY "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION)

#define FUNCTIONS(of) \
  of(ERR_clear_error) of(ERR_get_error) of(ERR_peek_last_error) of(ERR_lib_error_string) of(ERR_reason_error_string) \
  of(BIO_new) of(BIO_s_mem) of(BIO_new_mem_buf) of(BIO_read) of(BIO_free) \
  of(PEM_read_bio_ex) of(CRYPTO_secure_clear_free) \
  of(d2i_X509) of(d2i_X509_AUX) of(X509_free) of(X509_get_subject_name) of(X509_NAME_print_ex) \
  of(X509_get0_notBefore) of(X509_get0_notAfter) \
  of(ASN1_STRING_get0_data) of(ASN1_STRING_length) of(ASN1_STRING_type) of(ASN1_TIME_to_tm)

#include "../CLinux/linux_library.h"

const char *crypto_library_trouble(void) { return library_trouble(); }

void ERR_clear_error(void) { loaded.ERR_clear_error(); }
unsigned long ERR_get_error(void) { return loaded.ERR_get_error(); }
unsigned long ERR_peek_last_error(void) { return loaded.ERR_peek_last_error(); }
const char *ERR_lib_error_string(unsigned long e) { return loaded.ERR_lib_error_string(e); }
const char *ERR_reason_error_string(unsigned long e) { return loaded.ERR_reason_error_string(e); }

BIO *BIO_new(const BIO_METHOD *type) { return loaded.BIO_new(type); }
const BIO_METHOD *BIO_s_mem(void) { return loaded.BIO_s_mem(); }
BIO *BIO_new_mem_buf(const void *bytes, int count) { return loaded.BIO_new_mem_buf(bytes, count); }
int BIO_read(BIO *b, void *bytes, int count) { return loaded.BIO_read(b, bytes, count); }
int BIO_free(BIO *b) { return loaded.BIO_free(b); }

int PEM_read_bio_ex(BIO *in, char **name, char **header, unsigned char **data, long *length, unsigned int flags) {
  return loaded.PEM_read_bio_ex(in, name, header, data, length, flags);
}
void CRYPTO_secure_clear_free(void *bytes, size_t count, const char *file, int line) {
  loaded.CRYPTO_secure_clear_free(bytes, count, file, line);
}

X509 *d2i_X509(X509 **to, const unsigned char **in, long length) { return loaded.d2i_X509(to, in, length); }
X509 *d2i_X509_AUX(X509 **to, const unsigned char **in, long length) { return loaded.d2i_X509_AUX(to, in, length); }
void X509_free(X509 *x) { loaded.X509_free(x); }
/* What it returns is const from OpenSSL 4 on. */
__typeof__(X509_get_subject_name((const X509 *)0)) X509_get_subject_name(const X509 *x) {
  return loaded.X509_get_subject_name(x);
}
int X509_NAME_print_ex(BIO *out, const X509_NAME *name, int indent, unsigned long flags) {
  return loaded.X509_NAME_print_ex(out, name, indent, flags);
}
const ASN1_TIME *X509_get0_notBefore(const X509 *x) { return loaded.X509_get0_notBefore(x); }
const ASN1_TIME *X509_get0_notAfter(const X509 *x) { return loaded.X509_get0_notAfter(x); }

const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *s) { return loaded.ASN1_STRING_get0_data(s); }
int ASN1_STRING_length(const ASN1_STRING *s) { return loaded.ASN1_STRING_length(s); }
int ASN1_STRING_type(const ASN1_STRING *s) { return loaded.ASN1_STRING_type(s); }
int ASN1_TIME_to_tm(const ASN1_TIME *time, struct tm *to) { return loaded.ASN1_TIME_to_tm(time, to); }
