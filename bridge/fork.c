/*
 * The way into Python, which is closed in a forked child where Python cannot work.
 *
 * A child has the thread that forked, and the memory of all the others, with the locks that they held. Where no other
 * thread was at work for Python at the fork, none is held: such a child gets Python ready at its first call, drops what
 * is its parent's (see os.register_at_fork in tossl_acme), and works. Else each call is refused. There is no handler
 * that acts at the fork itself: most children call nothing here, and no fork has to wait for the GIL.
 */
#define _GNU_SOURCE
#include "tossl.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic pid_t process;  /* where Python works; 0 before it was wanted */
static _Atomic pid_t lost;     /* a child where it cannot */
static _Atomic pid_t adopting; /* a child where a thread is about to find out */
static atomic_int inside;      /* threads with a call of ours below them, or about to have one */
static atomic_int known;       /* threads that called once and have not ended */

static _Thread_local int depth;   /* calls below this thread */
static _Thread_local int isKnown; /* counted in `known` */

/* ---- a child's first call ---- */

/* Whether a thread other than this one was, or could have been, in Python when this child was made. */
static int wasOtherAtWork(void)
{
    PyThreadState *state;
    int count = 0;

    if (inside > (depth > 0)) {
        return 1;
    }
    for (state = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); state; state = PyThreadState_Next(state)) {
        count++; /* a thread that Python started has one too */
    }
    return count > known;
}

/* Nobody holds the GIL; but whoever had just let it go may have held what it is made of. */
static void prepare(void)
{
    PyThreadState *state = PyGILState_GetThisThreadState();

#if PY_VERSION_HEX < 0x030D0000
    if (state != NULL) {
        (void)PyThreadState_Swap(state); /* PyOS_AfterFork_Child() makes and takes a new GIL */
        return;
    }
#endif
    if (state == NULL) {
        (void)PyGILState_Ensure();
    } else {
        PyEval_RestoreThread(state);
    }
#if PY_VERSION_HEX >= 0x030D0000
    PyOS_BeforeFork(); /* PyOS_AfterFork_Child() releases what this acquires */
#endif
}

/* Python calls this in each child that it got ready, also where Python is the host and forked. */
static PyObject *takeOver(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    process = getpid();
    known = isKnown = 1;
    inside = depth > 0;
    Py_RETURN_NONE;
}

int TosslWatchForks(void)
{
    static PyMethodDef method = {"take_over", takeOver, METH_NOARGS, NULL};
    static int isWatching; /* under the GIL */
    PyObject *os, *hook = NULL, *arguments, *names, *result = NULL;

    if (isWatching) {
        return 1;
    }
    os = PyImport_ImportModule("os");
    hook = os ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
    arguments = PyTuple_New(0);
    names = Py_BuildValue("{s:N}", "after_in_child", PyCFunction_New(&method, NULL));
    if (hook != NULL && arguments != NULL && names != NULL) {
        result = PyObject_Call(hook, arguments, names);
    }
    Py_XDECREF(os);
    Py_XDECREF(hook);
    Py_XDECREF(arguments);
    Py_XDECREF(names);
    isWatching = result != NULL;
    Py_XDECREF(result);
    return isWatching;
}

static int adopt(void)
{
    if (Py_IsInitialized()) {
        if (wasOtherAtWork()) {
            return 0;
        }
        prepare();
        PyOS_AfterFork_Child();
        (void)PyEval_SaveThread();
    }
    return 1;
}

/* Whether Python works in this process: the parent, or a child that could take it over. */
static int isUsable(void)
{
    pid_t self = getpid(), nobody = 0, other;

    if (process == self || atomic_compare_exchange_strong(&process, &nobody, self)) {
        return 1;
    }
    other = adopting;
    if (other != self && atomic_compare_exchange_strong(&adopting, &other, self)) {
        if (adopt()) {
            process = self;
        } else {
            lost = self;
        }
    }
    while (process != self && lost != self) {
        usleep(1000); /* another thread of this child was first */
    }
    return process == self;
}

/* ---- the way in and out ---- */

int TosslComeIn(void)
{
    if (!isUsable()) {
        return 0;
    }
    if (depth++ == 0) {
        inside++;
    }
    return 1;
}

void TosslGoOut(void)
{
    if (--depth == 0) {
        inside--;
    }
}

int TosslEnter(PyGILState_STATE *gil)
{
    if (!TosslComeIn()) {
        return 0;
    }
    *gil = PyGILState_Ensure();
    return 1;
}

void TosslLeave(PyGILState_STATE gil)
{
    PyGILState_Release(gil);
    TosslGoOut();
}

void TosslComeBack(void)
{
    if (!isUsable()) { /* Python's part of this thread's stack cannot be gone through */
        (void)fprintf(stderr, "tossl: %s\n", TosslForked);
        _exit(EXIT_FAILURE);
    }
}

void TosslKnowThread(int isHere)
{
    if (isHere != isKnown) {
        isKnown = isHere;
        known += isHere ? 1 : -1;
    }
}

const char TosslForked[] = "this process was forked while other threads worked for tossl, and Python cannot go on in it: "
                           "fork when no job is at work, or start a new program";
