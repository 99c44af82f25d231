#include "hostile.h"
void hostile_run(void) {}
