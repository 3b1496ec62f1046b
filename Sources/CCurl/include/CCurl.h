#pragma once
/* libcurl, loaded when it is first asked for: it brings 25 libraries with it, and a command that only asks the agent
   something would spend half of its time loading them. `curl.c` defines each function of curl.h that we call, by curl's own
   name; nothing links against libcurl. */
#include <sys/socket.h>
#include <netinet/in.h>
#include <curl/curl.h>
#include <curl/header.h>

/* Why libcurl cannot be used, or NULL when it can. Loads it. No other function may be called before this returned NULL. */
const char *curl_library_trouble(void);

/* curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic, which Swift cannot call. One function for each
   class of argument; the name says the class, so that a wrong one is seen. */
CURLcode curl_set_long(CURL *h, CURLoption o, long v);
CURLcode curl_set_large(CURL *h, CURLoption o, curl_off_t v);
CURLcode curl_set_string(CURL *h, CURLoption o, const char *v);
CURLcode curl_set_pointer(CURL *h, CURLoption o, void *v);
CURLcode curl_set_list(CURL *h, CURLoption o, struct curl_slist *v);
CURLcode curl_set_receiver(CURL *h, CURLoption o, size_t (*f)(char *, size_t, size_t, void *));
CURLcode curl_set_socket_hook(CURL *h, int (*f)(void *, curl_socket_t, curlsocktype));
CURLcode curl_get_long(CURL *h, CURLINFO i, long *v);
CURLcode curl_get_large(CURL *h, CURLINFO i, curl_off_t *v);
CURLcode curl_get_string(CURL *h, CURLINFO i, const char **v);
CURLcode curl_get_pointer(CURL *h, CURLINFO i, void **v);
CURLMcode curl_multi_set_long(CURLM *m, CURLMoption o, long v);
/* The result is in a union. */
static inline CURLcode curl_message_result(const CURLMsg *m) { return m->data.result; }
