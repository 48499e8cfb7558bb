/* What looks like a Python of another version, and ends whoever calls it. */
#include <stdlib.h>

extern const char *Py_GetVersion(void);
extern int Py_IsInitialized(void);
extern int PyGILState_Ensure(void);

const char *Py_GetVersion(void)
{
    return "3.8.1 (not really)";
}

int Py_IsInitialized(void)
{
    abort();
}

int PyGILState_Ensure(void)
{
    abort();
}
