#include <stdio.h>

int scan(const char *path);
void report(int found);

int main(int count, char **words)
{
    printf("engine 4.2, built %s %s\n", __DATE__, __TIME__);
    report(count > 1 ? scan(words[1]) : 0);
    return 0;
}
