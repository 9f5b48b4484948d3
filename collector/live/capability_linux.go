// SPDX-License-Identifier: Apache-2.0

package live

import (
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

// privileges are what a process may do, and what it may become able to.
type privileges struct {
	root      bool   // the user is root
	apart     bool   // in a further user namespace, whose capabilities are none for what we do
	effective uint64 // capabilities that it has
	bounding  uint64 // those that it, or a program that it starts, can get
}

func ourPrivileges() privileges {
	p := privileges{root: os.Geteuid() == 0}
	if ns, err := os.Readlink("/proc/self/ns/user"); err == nil {
		p.apart = ns != initialUsers
	}
	for _, c := range needed {
		if set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c.bit), 0, 0, 0); err == nil && set == 1 {
			p.bounding |= 1 << c.bit
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil && !p.apart {
		p.effective = uint64(data[0].Effective) | uint64(data[1].Effective)<<32
	}
	return p
}

// missing lists the capabilities that are needed and not there.
func (p privileges) missing() []string {
	var out []string
	for _, c := range needed {
		if p.effective&(1<<c.bit) == 0 && !(p.effective&sysAdmin != 0 && c.bit != unix.CAP_SYS_PTRACE) {
			out = append(out, c.name)
		}
	}
	return out
}

// obtain says how to get these of the needed capabilities. sudo gives all that the bounding set has, to who is not root already.
func (p privileges) obtain(names ...string) string {
	if p.apart {
		return "run it outside of this user namespace, whose capabilities do not count here (a rootless container has one)"
	}
	can := !p.root
	var options []string
	for _, c := range needed {
		for _, name := range names {
			if name == c.name {
				can = can && p.bounding&(1<<c.bit) != 0
				options = append(options, "--cap-add "+strings.TrimPrefix(name, "CAP_"))
			}
		}
	}
	if can {
		return "run it with sudo"
	}
	return "something drops them, and sudo does not bring them back: a container takes " + strings.Join(options, " ") +
		" (or --privileged), a systemd unit CapabilityBoundingSet="
}

// Obtain says in one clause how this process gets capabilities that it lacks, of those that watching needs.
func Obtain(names ...string) string { return ourPrivileges().obtain(names...) }
