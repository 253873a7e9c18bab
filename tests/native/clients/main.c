/* `clients NAME`: exit code 0 and one line when all is as the program relies on, else a
   line that says what is not. */
#include "client.h"

void failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    exit(1);
}

static const struct {
    const char *name;
    void (*client)(void);
} clients[] = {
    {"qemu", client_qemu},       {"qemu-pic", client_qemu_pic}, {"crosvm", client_crosvm},
    {"openvmm", client_openvmm}, {"libwhp", client_libwhp},
};

int main(int count, char **arguments)
{
    for (unsigned i = 0; count == 2 && i < sizeof clients / sizeof *clients; i++) {
        if (strcmp(arguments[1], clients[i].name))
            continue;
        clients[i].client();
        printf("%s: ok\n", arguments[1]);
        return 0;
    }
    fprintf(stderr, "usage: clients qemu|qemu-pic|crosvm|openvmm|libwhp\n");
    return 2;
}
