// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// requirements checks what no hook can do without.
func requirements() error {
	if m := ourPrivileges().missing(); len(m) > 0 {
		return &Unsupported{
			What: "no privilege to watch the kernel: missing " + strings.Join(m, ", "),
			Do:   Obtain(m...),
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
	if _, err := kernelTypes(btf.NewCache()); err != nil {
		return Check{"BTF", false, err.What, err.Do}
	}
	if st, err := os.Stat(btfFile); err == nil {
		return Check{"BTF", true, fmt.Sprintf("%s, %.1f MB", btfFile, float64(st.Size())/1e6), ""}
	}
	return Check{"BTF", true, "that of the kernel's image on disk", ""}
}

func checkTracefs() Check {
	for _, root := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(root + "/events"); err == nil {
			return Check{"tracefs", true, "mounted at " + root, ""}
		} else if errors.Is(err, os.ErrPermission) {
			return Check{"tracefs", false, "not readable for this user", Obtain("CAP_SYS_ADMIN")}
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
	if m := ourPrivileges().missing(); len(m) > 0 {
		return Check{"capabilities", false, "missing " + strings.Join(m, ", "), Obtain(m...)}
	}
	return Check{"capabilities", true, "all that are needed", ""}
}
