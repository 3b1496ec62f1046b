#include "CCurl.h"

/* Its name since 2006; an incompatible libcurl would have another. */
#define LIBRARY "libcurl.so.4"

/* curl.h hides these behind macros that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define FUNCTIONS(of) \
  of(curl_global_init) \
  of(curl_easy_init) of(curl_easy_cleanup) of(curl_easy_setopt) of(curl_easy_getinfo) of(curl_easy_strerror) \
  of(curl_easy_header) \
  of(curl_multi_init) of(curl_multi_cleanup) of(curl_multi_setopt) of(curl_multi_add_handle) \
  of(curl_multi_remove_handle) of(curl_multi_perform) of(curl_multi_poll) of(curl_multi_wakeup) \
  of(curl_multi_info_read) \
  of(curl_slist_append) of(curl_slist_free_all)

#include "../CLinux/linux_library.h"

const char *curl_library_trouble(void) { return library_trouble(); }

CURLcode curl_global_init(long flags) { return loaded.curl_global_init(flags); }

CURL *curl_easy_init(void) { return loaded.curl_easy_init(); }
void curl_easy_cleanup(CURL *h) { loaded.curl_easy_cleanup(h); }
const char *curl_easy_strerror(CURLcode c) { return loaded.curl_easy_strerror(c); }
CURLHcode curl_easy_header(
    CURL *h, const char *name, size_t index, unsigned int origin, int request, struct curl_header **header) {
  return loaded.curl_easy_header(h, name, index, origin, request, header);
}

CURLM *curl_multi_init(void) { return loaded.curl_multi_init(); }
CURLMcode curl_multi_cleanup(CURLM *m) { return loaded.curl_multi_cleanup(m); }
CURLMcode curl_multi_add_handle(CURLM *m, CURL *h) { return loaded.curl_multi_add_handle(m, h); }
CURLMcode curl_multi_remove_handle(CURLM *m, CURL *h) { return loaded.curl_multi_remove_handle(m, h); }
CURLMcode curl_multi_perform(CURLM *m, int *running) { return loaded.curl_multi_perform(m, running); }
CURLMcode curl_multi_poll(CURLM *m, struct curl_waitfd *extra, unsigned int count, int milliseconds, int *ready) {
  return loaded.curl_multi_poll(m, extra, count, milliseconds, ready);
}
CURLMcode curl_multi_wakeup(CURLM *m) { return loaded.curl_multi_wakeup(m); }
CURLMsg *curl_multi_info_read(CURLM *m, int *left) { return loaded.curl_multi_info_read(m, left); }

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text) {
  return loaded.curl_slist_append(list, text);
}
void curl_slist_free_all(struct curl_slist *list) { loaded.curl_slist_free_all(list); }

CURLcode curl_set_long(CURL *h, CURLoption o, long v) { return loaded.curl_easy_setopt(h, o, v); }
CURLcode curl_set_large(CURL *h, CURLoption o, curl_off_t v) { return loaded.curl_easy_setopt(h, o, v); }
CURLcode curl_set_string(CURL *h, CURLoption o, const char *v) { return loaded.curl_easy_setopt(h, o, v); }
CURLcode curl_set_pointer(CURL *h, CURLoption o, void *v) { return loaded.curl_easy_setopt(h, o, v); }
CURLcode curl_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return loaded.curl_easy_setopt(h, o, v); }
CURLcode curl_set_receiver(CURL *h, CURLoption o, size_t (*f)(char *, size_t, size_t, void *)) {
  return loaded.curl_easy_setopt(h, o, f);
}
CURLcode curl_set_socket_hook(CURL *h, int (*f)(void *, curl_socket_t, curlsocktype)) {
  return loaded.curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, f);
}
CURLcode curl_get_long(CURL *h, CURLINFO i, long *v) { return loaded.curl_easy_getinfo(h, i, v); }
CURLcode curl_get_large(CURL *h, CURLINFO i, curl_off_t *v) { return loaded.curl_easy_getinfo(h, i, v); }
CURLcode curl_get_string(CURL *h, CURLINFO i, const char **v) { return loaded.curl_easy_getinfo(h, i, v); }
CURLcode curl_get_pointer(CURL *h, CURLINFO i, void **v) { return loaded.curl_easy_getinfo(h, i, v); }
CURLMcode curl_multi_set_long(CURLM *m, CURLMoption o, long v) { return loaded.curl_multi_setopt(m, o, v); }
