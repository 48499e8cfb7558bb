/*
 * Checks a Python that is in the process already: the process itself, or another extension's. Two versions must not
 * share symbols, and code compiled for one must not call the other.
 */
#define _GNU_SOURCE
#include "tossl.h"

#include <ctype.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define GIL_SECONDS 2 /* much longer than Python keeps the GIL between two steps */

/* ---- versions ---- */

/* Returns the length of "3.12" in "3.12.1 (main, ...)" and in "3.12.so.1.0". */
static int isOurVersion(const char *version)
{
    size_t length = strlen(TOSSL_PYTHON_VERSION);

    return strncmp(version, TOSSL_PYTHON_VERSION, length) == 0 && !isalnum((unsigned char)version[length]);
}

/* Finds a library libpythonX.Y other than ours. (libpython3.so only refers to one.) */
static int isOther(struct dl_phdr_info *info, size_t size, void *found)
{
    const char *name = strrchr(info->dlpi_name, '/');
    const char *version;

    (void)size;
    name = name ? name + 1 : info->dlpi_name;
    version = name + strlen("libpython");
    if (strncmp(name, "libpython", strlen("libpython")) != 0 || !isdigit((unsigned char)version[0]) ||
        version[1] != '.' || !isdigit((unsigned char)version[2]) || isOurVersion(version)) {
        return 0;
    }
    *(const char **)found = info->dlpi_name;
    return 1;
}

int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason)
{
    Tcl_SetObjResult(interp, reason);
    Tcl_SetErrorCode(interp, "TOSSL", "PYTHON", (char *)NULL);
    return TCL_ERROR;
}

int TosslCheckVersion(Tcl_Interp *interp)
{
    const char *version = Py_GetVersion(), *library = NULL;

    if (!isOurVersion(version)) {
        return TosslRefuse(interp, Tcl_ObjPrintf("this tossl was built for Python " TOSSL_PYTHON_VERSION ", but this process "
                                            "is or has Python %.*s: use that of " TOSSL_PYTHON_VERSION ", or build "
                                            "tossl with make PYTHON=python%.*s",
                                            (int)strcspn(version, " "), version,
                                            (int)strcspn(strchr(version, '.') + 1, ".") + 2, version));
    }
    if (dl_iterate_phdr(isOther, &library)) {
        return TosslRefuse(interp, Tcl_ObjPrintf("this tossl was built for Python " TOSSL_PYTHON_VERSION ", but another Python "
                                            "is in this process already: %s; use only one of them", library));
    }
    return TCL_OK;
}

/* ---- the GIL ---- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int taken;   /* the GIL could be had */
    int holders; /* of this; the last frees it */
} Trial;

/* Releases its lock and frees it after the last holder. */
static void leaveTrial(Trial *trial)
{
    int last = --trial->holders == 0;

    pthread_mutex_unlock(&trial->lock);
    if (last) {
        pthread_cond_destroy(&trial->changed);
        pthread_mutex_destroy(&trial->lock);
        PyMem_RawFree(trial);
    }
}

static void *takeGil(void *client)
{
    Trial *trial = client;

    PyGILState_Release(PyGILState_Ensure());
    pthread_mutex_lock(&trial->lock);
    trial->taken = 1;
    pthread_cond_signal(&trial->changed);
    leaveTrial(trial);
    return NULL;
}

/* Returns whether another thread, such as a job's, can take the GIL. */
static int isGilFree(void)
{
    Trial *trial = PyMem_RawCalloc(1, sizeof *trial);
    struct timespec until;
    pthread_t thread;
    int taken, waited = 0;

    if (trial == NULL) {
        return 0;
    }
    pthread_mutex_init(&trial->lock, NULL);
    pthread_cond_init(&trial->changed, NULL);
    trial->holders = 2;
    if (pthread_create(&thread, NULL, takeGil, trial) != 0) {
        PyMem_RawFree(trial);
        return 1; /* unknown */
    }
    pthread_detach(thread);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GIL_SECONDS;
    pthread_mutex_lock(&trial->lock);
    while (!trial->taken && waited == 0) {
        waited = pthread_cond_timedwait(&trial->changed, &trial->lock, &until);
    }
    taken = trial->taken;
    leaveTrial(trial);
    return taken;
}

int TosslCheckGil(Tcl_Interp *interp)
{
    if (!PyGILState_Check() && isGilFree()) {
        return TCL_OK;
    }
    return TosslRefuse(interp, Tcl_NewStringObj("Python was started by something else in this process, which keeps its lock "
                                           "(the GIL) while Tcl runs: no job of tossl could ever run; load tossl "
                                           "before it", -1));
}
