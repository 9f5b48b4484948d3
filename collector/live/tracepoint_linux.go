// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// perfTracepoint is a program on a classic tracepoint. It is attached through its perf event alone, so that closing the
// descriptor, or the death of the process, ends it.
type perfTracepoint struct{ fd int }

// Close detaches the program.
func (p *perfTracepoint) Close() error { return unix.Close(p.fd) }

// attachTracepoint works where tracefs is not mounted too, which link.Tracepoint does not.
func attachTracepoint(group, name string, prog *ebpf.Program) (*perfTracepoint, error) {
	id, err := tracepointID(group, name)
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Sample: 1, Sample_type: unix.PERF_SAMPLE_RAW, Wakeup: 1,
	}
	// The CPU only places the event: the program runs on all of them.
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open tracepoint %s/%s: %w", group, name, err)
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, prog.FD()); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("attach to tracepoint %s/%s: %w", group, name, err)
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("enable tracepoint %s/%s: %w", group, name, err)
	}
	return &perfTracepoint{fd: fd}, nil
}

// tracepointID reads the number of a tracepoint from tracefs: where it is mounted, or from a mount of our own that
// nobody else sees (fsmount, Linux 5.2).
func tracepointID(group, name string) (uint64, error) {
	path := "events/" + group + "/" + name + "/id"
	var text []byte
	var err error
	for _, root := range []string{"/sys/kernel/tracing/", "/sys/kernel/debug/tracing/"} {
		if text, err = os.ReadFile(root + path); err == nil {
			break
		}
	}
	if err != nil {
		if text, err = readDetached(path); err != nil {
			return 0, fmt.Errorf("tracepoint %s/%s: no tracefs: %w", group, name, err)
		}
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// readDetached reads a file of a tracefs that is mounted nowhere.
func readDetached(path string) ([]byte, error) {
	fs, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("fsconfig: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("fsmount: %w", err)
	}
	defer unix.Close(root)
	fd, err := unix.Openat(root, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return io.ReadAll(f)
}
