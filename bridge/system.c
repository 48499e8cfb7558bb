/* What the loader asks of the system: libraries, symbols and files, each in that system's way. */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#endif

#if defined(_WIN32)

int TosslFindFolder(char folder[TOSSL_PATH_SIZE])
{
    HMODULE self;
    char *slash;

    if (!GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (LPCSTR)(void *)(intptr_t)TosslRefuse, &self) ||
        GetModuleFileNameA(self, folder, TOSSL_PATH_SIZE) == 0 || (slash = strrchr(folder, '\\')) == NULL) {
        return 0;
    }
    *slash = '\0';
    return 1;
}

void *TosslOpenLibrary(const char *path, int isForAll)
{
    (void)isForAll;
    return LoadLibraryExA(path, NULL, strchr(path, '\\') ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
}

void TosslCloseLibrary(void *library)
{
    FreeLibrary(library);
}

const char *TosslSayError(void)
{
    static char text[32];

    snprintf(text, sizeof text, "error %lu", GetLastError());
    return text;
}

void *TosslFindSymbol(void *library, const char *name)
{
    return (void *)(intptr_t)GetProcAddress(library, name);
}

void TosslLocate(const void *symbol, char path[TOSSL_PATH_SIZE])
{
    HMODULE library;

    if (GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, symbol,
                           &library)) {
        GetModuleFileNameA(library, path, TOSSL_PATH_SIZE);
    }
}

int TosslIsSameFile(const char *one, const char *other)
{
    return _stricmp(one, other) == 0;
}

int TosslMayExist(const char *path)
{
    return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES || GetLastError() == ERROR_ACCESS_DENIED;
}

Tcl_Obj *TosslListBridges(const char *folder)
{
    (void)folder;
    return Tcl_NewStringObj("other Pythons", -1);
}

#else

/* Returns this library's folder, symbolic links resolved. */
int TosslFindFolder(char folder[TOSSL_PATH_SIZE])
{
    Dl_info info;
    char *path = dladdr((void *)(intptr_t)TosslRefuse, &info) ? realpath(info.dli_fname, NULL) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    int length = slash ? snprintf(folder, TOSSL_PATH_SIZE, "%.*s", (int)(slash - path), path) : -1;

    free(path);
    return length >= 0 && length < TOSSL_PATH_SIZE;
}

void *TosslOpenLibrary(const char *path, int isForAll)
{
    return dlopen(path, RTLD_NOW | (isForAll ? RTLD_GLOBAL : RTLD_LOCAL));
}

void TosslCloseLibrary(void *library)
{
    dlclose(library);
}

const char *TosslSayError(void)
{
    const char *text = dlerror();

    return text ? text : "unknown error";
}

void *TosslFindSymbol(void *library, const char *name)
{
    return dlsym(library, name);
}

/* Sets the path of the library that has the symbol. */
void TosslLocate(const void *symbol, char path[TOSSL_PATH_SIZE])
{
    Dl_info info;

    if (dladdr(symbol, &info) != 0 && info.dli_fname != NULL) {
        snprintf(path, TOSSL_PATH_SIZE, "%s", info.dli_fname);
    }
}

int TosslIsSameFile(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int TosslMayExist(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0 || errno == EACCES;
}

/* Adds the version in a bridge's file name. */
static void addVersion(Tcl_Obj *list, const char *name)
{
    const char *version = name + strlen(TOSSL_BRIDGE), *end;

    if (strncmp(name, TOSSL_BRIDGE, strlen(TOSSL_BRIDGE)) == 0 && (end = strstr(version, TOSSL_LIBRARY_END)) != NULL) {
        Tcl_AppendPrintfToObj(list, *Tcl_GetString(list) ? ", %.*s" : "Python %.*s", (int)(end - version), version);
    }
}

Tcl_Obj *TosslListBridges(const char *folder)
{
    Tcl_Obj *list = Tcl_NewObj();
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), i;

    for (i = 0; i < count; i++) {
        addVersion(list, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    if (*Tcl_GetString(list) == '\0') {
        Tcl_AppendToObj(list, "no Python", -1);
    }
    return list;
}

#endif
