#include <stdio.h>

void report(int found)
{
    printf("%d found; charset %s; %s\n", found, CHARSET, HOST);
}
