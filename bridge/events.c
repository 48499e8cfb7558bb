/* What the event loop of an interpreter's thread calls: functions of Python, for descriptors and after a time. */
#include "tossl.h"

#define FOREIGN_MS 10 /* between two checks of the parent's pipe */

/* ---- descriptors that the event loop watches: not channels, so that no script sees, renames or closes them ---- */

typedef struct Watch {
    TosslInterp *owner;
    pid_t process; /* that made it: a forked child has its parent's too */
    int descriptor;
    PyObject *function;
    struct Watch *next;
} Watch;

/* All threads' watches, under the GIL. */
static Watch *watches;

/*
 * Ends a handler, and returns whether Tcl has stopped calling it. Tcl 9 keeps handlers in an epoll set, which a child
 * shares with its parent: a handler that the child removed would be removed for the parent too.
 */
static int endHandler(const Watch *watch)
{
#if TCL_MAJOR_VERSION >= 9
    if (watch->process != getpid()) {
        return 0;
    }
#endif
    Tcl_DeleteFileHandler(watch->descriptor);
    return 1;
}

static void callFunctionOf(Watch *watch, int mask)
{
    PyObject *function = Py_NewRef(watch->function); /* it may end this watch */
    PyObject *result = PyObject_CallFunction(function, "ii", watch->descriptor, mask);

    if (result == NULL) {
        PyErr_Clear(); /* functions given here raise nothing */
    }
    Py_XDECREF(result);
    Py_DECREF(function);
}

static void callWatch(void *client, int mask)
{
    PyGILState_STATE gil;
    Watch *watch = client;

    if (watch->process != getpid()) { /* the parent's pipe is the parent's */
        if (!endHandler(watch)) {
            Tcl_Sleep(FOREIGN_MS); /* it rings until the parent has read */
        }
        return;
    }
    if (!TosslEnter(&gil)) {
        return;
    }
    for (watch = watches; watch != NULL && watch != client; watch = watch->next) {
    }
    if (watch != NULL) {
        callFunctionOf(watch, mask);
    }
    TosslLeave(gil);
}

static Watch **findWatch(TosslInterp *owner, int descriptor)
{
    Watch **found = &watches;

    while (*found != NULL && ((*found)->owner != owner || (*found)->descriptor != descriptor)) {
        found = &(*found)->next;
    }
    return found;
}

PyObject *TosslCreateFileHandler(TosslInterp *self, PyObject *args)
{
    int descriptor, mask;
    PyObject *function;
    Watch *watch;

    if (!PyArg_ParseTuple(args, "iiO:createfilehandler", &descriptor, &mask, &function) || !TosslUsable(self)) {
        return NULL;
    }
    if (*findWatch(self, descriptor) != NULL) {
        PyErr_SetString(PyExc_ValueError, "the descriptor has a handler");
        return NULL;
    }
    watch = PyMem_Malloc(sizeof(*watch));
    if (watch == NULL) {
        return PyErr_NoMemory();
    }
    *watch = (Watch){.owner = self, .process = getpid(), .descriptor = descriptor, .function = Py_NewRef(function), .next = watches};
    watches = watch;
    Py_BEGIN_ALLOW_THREADS
    Tcl_CreateFileHandler(descriptor, mask, callWatch, watch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Removes a descriptor's handler, if it has one, also after the interpreter was deleted. */
PyObject *TosslDeleteFileHandler(TosslInterp *self, PyObject *number)
{
    int descriptor = (int)PyLong_AsLong(number);
    Watch **found, *watch;
    int isEnded;

    if (PyErr_Occurred() || !TosslInThread(self)) {
        return NULL;
    }
    found = findWatch(self, descriptor);
    watch = *found;
    if (watch != NULL) {
        *found = watch->next;
        Py_BEGIN_ALLOW_THREADS
        isEnded = endHandler(watch);
        Py_END_ALLOW_THREADS
        Py_DECREF(watch->function);
        if (isEnded) {
            PyMem_Free(watch);
        }
    }
    Py_RETURN_NONE;
}

/* ---- timers that `after` knows nothing of: no script cancels them ---- */

static void callTimer(void *client)
{
    PyGILState_STATE gil;
    PyObject *result;

    if (TosslEnter(&gil)) {
        result = PyObject_CallNoArgs((PyObject *)client);
        if (result == NULL) {
            PyErr_Clear();
        }
        Py_XDECREF(result);
        Py_DECREF((PyObject *)client);
        TosslLeave(gil);
    }
}

/* Calls the function once, from the event loop of this thread. */
PyObject *TosslCreateTimerHandler(TosslInterp *self, PyObject *args)
{
    int milliseconds;
    PyObject *function;

    if (!PyArg_ParseTuple(args, "iO:createtimerhandler", &milliseconds, &function) || !TosslUsable(self)) {
        return NULL;
    }
    Py_INCREF(function);
    Py_BEGIN_ALLOW_THREADS
    (void)Tcl_CreateTimerHandler(milliseconds, callTimer, function);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}
