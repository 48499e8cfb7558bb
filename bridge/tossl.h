/*
 * The bridge between a Tcl interpreter and the Python that runs in its process.
 *
 *   load.c    called by the loader (loader.h), which `load` calls
 *   python.c  starts Python, once per process
 *   others.c  refuses a Python of others that keeps its lock
 *   fork.c    the way into Python, closed in a forked child where Python cannot work
 *   interp.c  a Tcl interpreter as a Python object
 *   events.c  its methods for descriptors and timers of the event loop
 *   environment.c  the process's environment, for Python to read
 *   value.c   Tcl values to Python values and back
 *
 * It knows no command by name: the Python package tossl_acme creates all commands of scripts.
 */
#ifndef TOSSL_H
#define TOSSL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "loader.h"

#ifndef TCL_SIZE_MAX /* Tcl 8.6 counts in int */
typedef int Tcl_Size;
#define TCL_SIZE_MAX INT_MAX
#endif

/* A Tcl interpreter as a Python object. */
typedef struct {
    PyObject_HEAD
    Tcl_Interp *interp; /* NULL once the interpreter is deleted */
    Tcl_ThreadId thread;
} TosslInterp;

/* Checks before each use: 0 with a Python exception set in another thread; usable: also where it is deleted. */
int TosslInThread(TosslInterp *self);
int TosslUsable(TosslInterp *self);

/* Methods. */
PyObject *TosslCreateFileHandler(TosslInterp *self, PyObject *args);
PyObject *TosslDeleteFileHandler(TosslInterp *self, PyObject *number);
PyObject *TosslCreateTimerHandler(TosslInterp *self, PyObject *args);
PyObject *TosslEnvironment(PyObject *self, PyObject *unused);

/* All of these need the GIL, and return NULL with a Python exception set when they fail. */
PyObject *TosslToPython(Tcl_Obj *value);
PyObject *TosslTupleToPython(Tcl_Size count, Tcl_Obj *const values[]);
Tcl_Obj *TosslToTcl(PyObject *value);
PyObject *TosslNewInterp(Tcl_Interp *interp);

/* The way into Python, with the GIL. TosslEnter() returns 0 if Python cannot work; report TosslForked then. */
extern const char TosslForked[];
int TosslEnter(PyGILState_STATE *gil);
void TosslLeave(PyGILState_STATE gil);
int TosslComeIn(void); /* the same without the GIL */
void TosslGoOut(void);
void TosslComeBack(void); /* after a script that Python called, before taking the GIL; the script may have forked */
int TosslKnowThread(int isHere); /* returns whether the thread is new */
void TosslBeginEnd(void); /* of this thread, after its last release of the GIL */
int TosslWatchForks(void); /* needs the GIL; 0 with a Python exception set */

/* These need no GIL and leave none; TCL_ERROR with a message in the interpreter. */
int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason); /* returns TCL_ERROR, with errorcode TOSSL PYTHON */
int TosslStartPython(Tcl_Interp *interp, const TosslPython *python);
int TosslOwnsPython(void);
int TosslCheckGil(Tcl_Interp *interp); /* of a Python that other code has started */

#endif
