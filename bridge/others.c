/* Tells whether a Python that other code has started ever lets go of its lock. */
#include "tossl.h"

#include <pthread.h>
#include <time.h>

#define GIL_SECONDS 2 /* much longer than Python keeps the GIL between two steps */

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
