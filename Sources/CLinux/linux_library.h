/* A library that is loaded when it is first asked for. Who includes this has defined

     LIBRARY         its file, as dlopen(3) wants it
     FUNCTIONS(of)   each function of its header that is called: of(curl_easy_init) of(…)

   and gets `loaded`, with a pointer for each, and `library_trouble`, which must have returned NULL before any is called. */
#pragma once
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#define LIBRARY_POINTER(name) __typeof__(name) *name;
static struct { FUNCTIONS(LIBRARY_POINTER) } loaded;
static const char *load_trouble;

static void load(void) {
  void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    load_trouble = dlerror();
    if (!load_trouble) load_trouble = LIBRARY " cannot be loaded";
    return;
  }
#define LIBRARY_FIND(name) \
  loaded.name = (__typeof__(name) *)dlsym(handle, #name); \
  if (!loaded.name) { load_trouble = LIBRARY ": " #name " is missing"; return; }
  FUNCTIONS(LIBRARY_FIND)
}

/* Why it cannot be used, or NULL. Loads it, once. */
static const char *library_trouble(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return load_trouble;
}
