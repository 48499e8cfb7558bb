/*
 * The way into Python, which is closed in a forked child where Python cannot work.
 *
 * A child has the thread that forked, and the memory of all other threads, with the locks that they held. If no other
 * thread was at work for Python at the fork, no lock is held: the child prepares Python at its first call, drops its
 * parent's objects (see os.register_at_fork in tossl_acme), and works. Else each call is refused. No handler runs at
 * the fork itself: most children call nothing here, and no fork must wait for the GIL.
 */
#define _GNU_SOURCE
#include "tossl.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_TRIES 10000

static _Atomic pid_t process;  /* in which Python works; 0 before its first use */
static _Atomic pid_t lost;     /* a child in which Python cannot work */
static _Atomic pid_t adopting; /* a child in which a thread is checking that */
static atomic_int inside;      /* threads with a call of ours below them, or about to have one */
static atomic_int known;       /* threads that have called and not ended */
static atomic_int working;     /* threads that Python started for us */

enum kind { OF_PYTHON = 1, OF_TCL };
static atomic_int ending[OF_TCL + 1]; /* threads that are done with Python, or nearly, but not with other libraries */

static _Thread_local int depth;   /* calls below this thread */
static _Thread_local int isKnown; /* counted in `known` */
static _Thread_local int isWorking;
static _Thread_local enum kind isEnding;

/* ---- the very end of threads: OpenSSL takes locks there that a fork would keep ---- */

static pthread_key_t rounds;
static pthread_once_t isPrepared = PTHREAD_ONCE_INIT;

/* Runs last among a thread's destructors: each round calls all of them, and this requests rounds up to the last. */
static void endThread(void *round)
{
    if ((intptr_t)round < PTHREAD_DESTRUCTOR_ITERATIONS) {
        (void)pthread_setspecific(rounds, (void *)((intptr_t)round + 1));
    } else if (isEnding) {
        ending[isEnding]--;
    }
}

static void prepareRounds(void)
{
    (void)pthread_key_create(&rounds, endThread);
}

static void watchEnd(void)
{
    (void)pthread_once(&isPrepared, prepareRounds);
    (void)pthread_setspecific(rounds, (void *)1);
}

static void beginEnd(enum kind kind)
{
    isEnding = kind;
    ending[kind]++;
}

/* Waits for threads that have nearly ended: they only need the processor. */
static void awaitEnds(void)
{
    int tries;

    for (tries = 0; ending[OF_PYTHON] > 0 && tries < MOST_TRIES; tries++) {
        usleep(100);
    }
}

/* tossl_acme calls these before and after it starts and joins a thread in Python. */
static PyObject *enterThread(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    watchEnd();
    isWorking = 1;
    working++;
    Py_RETURN_NONE;
}

static PyObject *leaveThread(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    if (isWorking) {
        beginEnd(OF_PYTHON);
        isWorking = 0;
        working--;
    }
    Py_RETURN_NONE;
}

static PyObject *awaitThreads(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS
    awaitEnds();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* ---- a child's first call ---- */

/* Returns whether a thread other than this was, or could have been, in Python at the fork. */
static int wasOtherAtWork(void)
{
    PyThreadState *state;
    int count = 0;

    if (inside > (depth > 0) || working > 0 || ending[OF_PYTHON] > 0 || ending[OF_TCL] > 0) {
        return 1;
    }
    for (state = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); state; state = PyThreadState_Next(state)) {
        count++; /* a thread that Python started has a state too */
    }
    return count > known;
}

/* Replaces the GIL: nobody holds it, but a thread that had just released it may have held its mutex. */
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

/* Python calls this in each child that it prepared, also if Python is the host and forked. */
static PyObject *takeOver(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    process = getpid();
    known = isKnown = 1;
    inside = depth > 0;
    working = isWorking;
    ending[OF_PYTHON] = ending[OF_TCL] = 0;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"take_over", takeOver, METH_NOARGS, "for a forked child, with the GIL"},
    {"enter_thread", enterThread, METH_NOARGS, "first in a thread that Python started"},
    {"leave_thread", leaveThread, METH_NOARGS, "last in such a thread"},
    {"await_threads", awaitThreads, METH_NOARGS, "until threads that were joined are really gone"},
    {NULL, NULL, 0, NULL},
};

/* Registers `function` with os.register_at_fork(), for calls in a child. */
static PyObject *registerAtFork(PyObject *function)
{
    PyObject *os = PyImport_ImportModule("os"), *hook = NULL, *arguments = PyTuple_New(0), *names, *result = NULL;

    hook = os ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
    names = function ? Py_BuildValue("{s:O}", "after_in_child", function) : NULL;
    if (hook != NULL && arguments != NULL && names != NULL) {
        result = PyObject_Call(hook, arguments, names);
    }
    Py_XDECREF(os);
    Py_XDECREF(hook);
    Py_XDECREF(arguments);
    Py_XDECREF(names);
    return result;
}

int TosslWatchForks(void)
{
    static int isWatching; /* under the GIL */
    PyObject *module, *function, *result;

    if (isWatching) {
        return 1;
    }
    module = PyImport_AddModule("_tossl"); /* borrowed */
    if (module == NULL || PyModule_AddFunctions(module, functions) < 0) {
        return 0;
    }
    function = PyObject_GetAttrString(module, "take_over");
    result = registerAtFork(function);
    isWatching = result != NULL;
    Py_XDECREF(function);
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

/* Returns whether Python works in this process: the parent, or a child that could take it over. */
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
    if (!isUsable()) { /* Python's frames on this thread's stack cannot be left */
        (void)fprintf(stderr, "tossl: %s\n", TosslForked);
        _exit(EXIT_FAILURE);
    }
}

void TosslBeginEnd(void)
{
    beginEnd(OF_TCL);
}

int TosslKnowThread(int isHere)
{
    int isNew = isHere != isKnown;

    if (isNew) {
        isKnown = isHere;
        known += isHere ? 1 : -1;
        if (isHere) {
            watchEnd();
        }
    }
    return isNew;
}

const char TosslForked[] = "this process was forked while other threads worked for tossl, and Python cannot go on in it; "
                           "fork when no job is at work, or start a new program";
