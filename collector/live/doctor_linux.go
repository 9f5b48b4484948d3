// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// capability is one that watching needs, by its number in linux/capability.h.
type capability struct {
	name string
	bit  uint
	why  string
}

var needed = []capability{
	{"CAP_BPF", unix.CAP_BPF, "load BPF programs"},
	{"CAP_PERFMON", unix.CAP_PERFMON, "attach them to tracepoints and functions"},
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, "look into other network namespaces and processes"},
	{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, "see what other processes' threads are blocked in"},
}

const sysAdmin = 1 << unix.CAP_SYS_ADMIN

// initialUsers is the link of the initial user namespace, in every kernel (PROC_USER_INIT_INO).
const initialUsers = "user:[4026531837]"

// effective returns this process's effective capabilities. Those of a further user namespace are none for what we do.
func effective() uint64 {
	if ns, err := os.Readlink("/proc/self/ns/user"); err == nil && ns != initialUsers {
		return 0
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32
}

// missing lists the capabilities that are needed and not there.
func missing() []string {
	caps := effective()
	var out []string
	for _, c := range needed {
		if caps&(1<<c.bit) == 0 && !(caps&sysAdmin != 0 && c.bit != unix.CAP_SYS_PTRACE) {
			out = append(out, c.name)
		}
	}
	return out
}

// requirements checks what no hook can do without.
func requirements() error {
	if m := missing(); len(m) > 0 {
		return &Unsupported{
			What: "no privilege to watch the kernel: missing " + strings.Join(m, ", "),
			Do:   "run it with sudo",
			Err:  unix.EPERM,
		}
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return &Unsupported{What: "no /proc, which says whose a socket is", Do: "mount -t proc proc /proc", Err: err}
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != initialPIDs {
		return &Unsupported{
			What: "this is a PID namespace of a container, where processes have other numbers than the kernel tells",
			Do:   "run it on the host, or in a container with the host's processes (docker run --pid=host)",
		}
	}
	if n := openFiles(); n < minFiles {
		return &Unsupported{What: fmt.Sprintf("only %d files may be open, and %d are needed", n, minFiles), Do: "raise the limit: ulimit -n 1024"}
	}
	kernel, _ := uname()
	if major, minor, ok := version(kernel); ok && (major < 5 || major == 5 && minor < 8) {
		return &Unsupported{
			What: fmt.Sprintf("linux %s is too old: BPF ring buffers came with 5.8", kernel),
			Do:   "use a newer kernel, or 'beltrace replay' with a recording",
		}
	}
	return nil
}

// initialPIDs is the link of the initial PID namespace, in every kernel (PROC_PID_INIT_INO).
const initialPIDs = "pid:[4026531836]"

// minFiles is how many files may have to be open: each program, map and attachment is one.
const minFiles = 512

// openFiles is how many may be. The language's runtime has raised it as far as it goes.
func openFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return minFiles
	}
	return limit.Cur
}

// noBPF is what Open says when something else than a missing capability keeps this process from BPF.
func noBPF(err error) error {
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	return &Unsupported{
		What: fmt.Sprintf("the kernel refuses BPF to this process although it has the capabilities (%v)", err),
		Do:   "look for a seccomp filter or a security module: in a container it takes --privileged",
		Err:  err,
	}
}

// noBTF is what Open says when the kernel's types cannot be read.
func noBTF(err error) error {
	kernel, _ := uname()
	return &Unsupported{
		What: fmt.Sprintf("linux %s has no BTF (/sys/kernel/btf/vmlinux)", kernel),
		Do:   "use a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship it, and mount sysfs",
		Err:  err,
	}
}

func version(release string) (major, minor int, ok bool) {
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor, n == 2
}

// Doctor says what this kernel and these privileges let us see. It never fails, and needs no privilege itself.
func Doctor() Report {
	r := Report{}
	r.Kernel, r.Host = uname()
	r.Checks = append(r.Checks, checkBTF(), checkTracefs(), checkLockdown(), checkCapabilities())
	return r
}

func checkBTF() Check {
	st, err := os.Stat("/sys/kernel/btf/vmlinux")
	if err != nil {
		return Check{"BTF", false, "none at /sys/kernel/btf/vmlinux", "use a kernel with CONFIG_DEBUG_INFO_BTF=y"}
	}
	return Check{"BTF", true, fmt.Sprintf("/sys/kernel/btf/vmlinux, %.1f MB", float64(st.Size())/1e6), ""}
}

func checkTracefs() Check {
	for _, root := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(root + "/events"); err == nil {
			return Check{"tracefs", true, "mounted at " + root, ""}
		} else if errors.Is(err, os.ErrPermission) {
			return Check{"tracefs", false, "not readable for this user", "run it with sudo"}
		}
	}
	if _, err := readDetached("events/sched/sched_switch/id"); err != nil {
		return Check{"tracefs", false, "not mounted, and mounting it for ourselves does not work: " + err.Error(),
			"mount -t tracefs nodev /sys/kernel/tracing; without it system calls are watched by a dearer hook"}
	}
	return Check{"tracefs", true, "not mounted; read through a mount of our own", ""}
}

func checkLockdown() Check {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return Check{"lockdown", true, "none", ""}
	}
	s := strings.TrimSpace(string(text))
	if strings.Contains(s, "[confidentiality]") {
		return Check{"lockdown", false, s, "kernel lockdown in confidentiality mode keeps BPF from reading kernel memory: boot with lockdown=integrity"}
	}
	return Check{"lockdown", true, s, ""}
}

func checkCapabilities() Check {
	if m := missing(); len(m) > 0 {
		return Check{"capabilities", false, "missing " + strings.Join(m, ", "), "run it with sudo"}
	}
	return Check{"capabilities", true, "all that are needed", ""}
}
