/*
 * What looks like a Python, of the version that the compiler is given, and ends whoever calls more of it than that. With
 * UNSTARTED it also says that nobody has started it.
 */
#include <stdlib.h>

extern const char *Py_GetVersion(void);
extern int Py_IsInitialized(void);
extern int PyGILState_Ensure(void);

const char *Py_GetVersion(void)
{
    return VERSION;
}

int Py_IsInitialized(void)
{
#ifdef UNSTARTED
    return 0;
#else
    abort();
#endif
}

int PyGILState_Ensure(void)
{
    abort();
}
