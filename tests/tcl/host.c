/* What a process has that a package must leave alone, and fork: ::host::state, ::host::fork, ::host::wait. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tcl.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 64
#define RESTORER 0x04000000u /* glibc's own, once a handler was set, whichever */

static void add(Tcl_Obj *dict, const char *name, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(name, -1), value);
}

/* Each signal's handler and flags, and which are blocked. */
static Tcl_Obj *signals(void)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    struct sigaction action;
    sigset_t blocked;
    char text[64];
    int number;

    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (number = 1; number < 65; number++) {
        if (sigaction(number, NULL, &action) == 0) {
            snprintf(text, sizeof text, "%d %p %x %d", number, (void *)(intptr_t)action.sa_handler,
                     (unsigned)action.sa_flags & ~RESTORER, sigismember(&blocked, number));
            Tcl_ListObjAppendElement(NULL, list, Tcl_NewStringObj(text, -1));
        }
    }
    return list;
}

/* Which descriptors are open, with their flags. */
static Tcl_Obj *descriptors(void)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    int number, flags;

    for (number = 0; number < MOST_DESCRIPTORS; number++) {
        flags = fcntl(number, F_GETFL);
        if (flags >= 0) {
            Tcl_ListObjAppendElement(NULL, list, Tcl_ObjPrintf("%d %x %x", number, flags, fcntl(number, F_GETFD)));
        }
    }
    return list;
}

static Tcl_Obj *environment(void)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    char **entry;

    for (entry = environ; *entry != NULL; entry++) {
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewByteArrayObj((unsigned char *)*entry, (int)strlen(*entry)));
    }
    return list;
}

static Tcl_Obj *maskOfFiles(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return Tcl_NewIntObj((int)mask);
}

static int state(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *dict = Tcl_NewDictObj();
    char folder[4096];

    (void)client, (void)objc, (void)objv;
    add(dict, "signals", signals());
    add(dict, "descriptors", descriptors());
    add(dict, "environment", environment());
    add(dict, "umask", maskOfFiles());
    add(dict, "locale", Tcl_NewStringObj(setlocale(LC_ALL, NULL), -1));
    add(dict, "folder", Tcl_NewStringObj(getcwd(folder, sizeof folder) ? folder : "?", -1));
    Tcl_SetObjResult(interp, dict);
    return TCL_OK;
}

static int forkHere(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    pid_t child;

    (void)client, (void)objc, (void)objv;
    fflush(NULL);
    child = fork();
    Tcl_SetObjResult(interp, Tcl_NewIntObj((int)child));
    return child < 0 ? TCL_ERROR : TCL_OK;
}

/* wait PID: its exit status; a signal counts from 1000. */
static int waitFor(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int child, status = 0;

    (void)client;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &child) != TCL_OK || waitpid(child, &status, 0) < 0) {
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, Tcl_NewIntObj(WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status)));
    return TCL_OK;
}

/* close NUMBER: a descriptor, behind Tcl's back. */
static int closeDescriptor(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int number;

    (void)client;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &number) != TCL_OK) {
        return TCL_ERROR;
    }
    close(number);
    return TCL_OK;
}

/* end STATUS: of the process, without a word to anybody. */
static int endProcess(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int status;

    (void)client;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &status) != TCL_OK) {
        return TCL_ERROR;
    }
    _exit(status);
}

DLLEXPORT int Host_Init(Tcl_Interp *interp)
{
    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL) {
        return TCL_ERROR;
    }
    Tcl_CreateObjCommand(interp, "::host::state", state, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::host::fork", forkHere, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::host::wait", waitFor, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::host::end", endProcess, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::host::close", closeDescriptor, NULL, NULL);
    return TCL_OK;
}
