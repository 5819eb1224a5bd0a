// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cminiupnpc.h"
#include <errno.h>
#include <fcntl.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// What a router's description and answers may need, beyond what the program has already.
static const rlim_t memory_limit = 32 << 20;
static const rlim_t processor_seconds = 2;

static void limit_memory(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL && fscanf(file, "%lu", &pages) != 1) pages = 0;
    if (file != NULL) fclose(file);
    if (pages == 0) return;
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory_limit;
    setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
}

// Leaves nothing of the program's in the new process: not its handlers, which would put a terminal back, nor its files.
static int leave_program(int output) {
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(output, 3) < 0) return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0) return -1;
    if (close_range(4, ~0U, 0) != 0) return -1;
    setrlimit(RLIMIT_CPU, &(struct rlimit){processor_seconds, processor_seconds});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    limit_memory();
    return 0;
}

typedef struct {
    struct UPNPUrls urls;
    struct IGDdatas data;
    char local[64];
} gateway;

static int find_gateway(const cm_request *request, gateway *found) {
    if (request->url[0] != 0
        && UPNP_GetIGDFromUrl(request->url, &found->urls, &found->data, found->local, sizeof found->local) == 1)
        return cm_done;
    int error = 0;
    struct UPNPDev *devices = upnpDiscover((int)request->search_milliseconds, NULL, NULL, 0, 0, 2, &error);
    if (devices == NULL) return cm_no_router;
#if MINIUPNPC_API_VERSION >= 18
    int kind =
        UPNP_GetValidIGD(devices, &found->urls, &found->data, found->local, sizeof found->local, NULL, 0);
#else
    int kind = UPNP_GetValidIGD(devices, &found->urls, &found->data, found->local, sizeof found->local);
#endif
    // 1 is connected, 2 says that it isn't, or has a private address: whether it maps all the same is seen soon.
    return kind == 1 || kind == 2 ? cm_done : cm_no_gateway;
}

static int add_mapping(const gateway *router, const cm_request *request, cm_answer *answer) {
    char port[8], external[8], lease[16];
    snprintf(port, sizeof port, "%u", request->port);
    snprintf(external, sizeof external, "%u", request->external_port);
    snprintf(lease, sizeof lease, "%u", request->lease_seconds);
    const char *service = router->data.first.servicetype;
    answer->external_port = request->external_port;
    answer->lease_seconds = request->lease_seconds;
    int code = UPNP_AddPortMapping(
        router->urls.controlURL, service, external, port, router->local, "parley", "UDP", NULL, lease);
    // Only permanent leases, or none at all as an argument (WANIPConnection:1, 2.4.16).
    if (code != 725 && code != 402) return code;
    answer->lease_seconds = 0;
    return UPNP_AddPortMapping(
        router->urls.controlURL, service, external, port, router->local, "parley", "UDP", NULL, "0");
}

static void serve(const cm_request *request, cm_answer *answer) {
    gateway router = {0};
    answer->code = find_gateway(request, &router);
    if (answer->code != cm_done) return;
    if (router.urls.rootdescURL != NULL && strlen(router.urls.rootdescURL) < sizeof answer->url)
        strcpy(answer->url, router.urls.rootdescURL);
    const char *service = router.data.first.servicetype;
    if (request->command == cm_unmap) {
        char external[8];
        snprintf(external, sizeof external, "%u", request->external_port);
        answer->code = UPNP_DeletePortMapping(router.urls.controlURL, service, external, "UDP", NULL);
        return;
    }
    char address[64] = {0};
    answer->code = UPNP_GetExternalIPAddress(router.urls.controlURL, service, address);
    if (answer->code != UPNPCOMMAND_SUCCESS) return;
    snprintf(answer->address, sizeof answer->address, "%.*s", (int)sizeof answer->address - 1, address);
    if (request->command == cm_map) answer->code = add_mapping(&router, request, answer);
}

pid_t cm_start(const cm_request *request, int *descriptor) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    pid_t process = fork();
    if (process == 0) {
        cm_answer answer;
        memset(&answer, 0, sizeof answer);
        if (leave_program(ends[1]) != 0) _exit(1);
        serve(request, &answer);
        _exit(write(3, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
    }
    int code = errno;
    close(ends[1]);
    if (process < 0) close(ends[0]);
    *descriptor = process < 0 ? -1 : ends[0];
    errno = code;
    return process;
}

void cm_end(pid_t process) {
    kill(process, SIGKILL);
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
}
