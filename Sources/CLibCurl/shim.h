// What Swift cannot call of libcurl: variadic functions and macros, one `vp_` function each.
// And the certificate pin, which needs OpenSSL's verification call-back (Debian: libssl-dev).
#ifndef VPOWER_CLIBCURL_SHIM_H
#define VPOWER_CLIBCURL_SHIM_H

#include <curl/curl.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

// curl_global_init's argument is a macro.
static inline CURLcode vp_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

// curl_easy_setopt is variadic: one function per type of argument.
static inline CURLcode vp_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode vp_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode vp_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode vp_curl_set_bytes(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode vp_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode vp_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
typedef size_t (*vp_curl_sink)(char *data, size_t size, size_t count, void *context);
static inline CURLcode vp_curl_set_sink(CURL *handle, CURLoption option, vp_curl_sink value) {
    return curl_easy_setopt(handle, option, value);
}

// curl_easy_getinfo is variadic.
static inline CURLcode vp_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode vp_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}

// curl_share_setopt is variadic.
static inline CURLSHcode vp_curl_share_cookies(CURLSH *share) {
    return curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
}

// The name of OpenSSL's own function is a macro's in some releases.
static inline unsigned char *vp_sha256(const unsigned char *data, size_t count,
                                       unsigned char *sum) {
    return SHA256(data, count, sum);
}

// A certificate pin: the SHA-256 that is wanted, and the one that was last presented.
typedef struct vp_pin {
    unsigned char wanted[32];
    unsigned char presented[32];
    int was_presented;
} vp_pin;

// Runs in the middle of the TLS handshake, in place of OpenSSL's chain verification: before any
// byte of a request. Names, dates and issuers do not matter here; the certificate itself does.
static inline int vp_pin_verify(X509_STORE_CTX *chain, void *context) {
    vp_pin *pin = (vp_pin *)context;
    X509 *leaf = X509_STORE_CTX_get0_cert(chain);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (leaf == NULL || X509_digest(leaf, EVP_sha256(), digest, &length) != 1
        || length != sizeof(pin->wanted)) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    memcpy(pin->presented, digest, sizeof(pin->presented));
    pin->was_presented = 1;
    if (memcmp(digest, pin->wanted, sizeof(pin->wanted)) != 0) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}

static inline CURLcode vp_pin_install(CURL *handle, void *context, void *pin) {
    (void)handle;
    SSL_CTX_set_cert_verify_callback((SSL_CTX *)context, vp_pin_verify, pin);
    return CURLE_OK;
}

// `pin` must live until every connection made with it is closed: TLS 1.2 may handshake again.
static inline CURLcode vp_curl_set_pin(CURL *handle, vp_pin *pin) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, pin);
    if (code != CURLE_OK) return code;
    return curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, vp_pin_install);
}

#endif
