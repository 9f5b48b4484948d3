// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"

	"golang.org/x/sys/unix"
)

// descriptors are how many a process has open, and how many it may have.
type descriptors struct {
	open  model.Opt[uint32]
	limit model.Opt[uint64]
}

// addDescriptors tells of a process whose accept failed for want of a descriptor, or of memory for it, how many it has: at most once a second,
// so the figures may be a little older than the event.
func (s *Session) addDescriptors(e *event.Event) {
	if e.Kind != event.AcceptError || !e.Known(event.FieldPID) {
		return
	}
	switch unix.Errno(e.Errno) {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS:
	default:
		return
	}
	d, ok := s.descriptors[e.PID]
	if !ok {
		d = descriptorsOf(e.PID)
		s.descriptors[e.PID] = d
	}
	if d.open.Known {
		e.OpenFDs = d.open.V
		e.Set(event.FieldOpenFDs)
	}
	if d.limit.Known {
		e.FDLimit = d.limit.V
		e.Set(event.FieldFDLimit)
	}
}

// descriptorsOf asks /proc, which tells of every process: prlimit(2) of another user's needs CAP_SYS_RESOURCE. Nothing is known if
// the process has gone.
func descriptorsOf(pid uint32) descriptors {
	dir := fmt.Sprintf("/proc/%d/", pid)
	limits, _ := os.ReadFile(dir + "limits")
	return descriptors{open: openIn(dir + "fd"), limit: fileLimit(string(limits))}
}

// openIn counts the descriptors in /proc/PID/fd.
func openIn(dir string) (n model.Opt[uint32]) {
	info, err := os.Stat(dir)
	if err != nil {
		return n
	}
	if size := info.Size(); size > 0 { // the kernel counts them since 6.2 (f1f1f2569901)
		return model.Some(uint32(size))
	}
	f, err := os.Open(dir)
	if err != nil {
		return n
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return n
	}
	return model.Some(uint32(len(names)))
}

// fileLimit reads the soft RLIMIT_NOFILE in /proc/PID/limits.
func fileLimit(limits string) (n model.Opt[uint64]) {
	_, rest, _ := strings.Cut(limits, "Max open files")
	if f := strings.Fields(rest); len(f) > 0 {
		if v, err := strconv.ParseUint(f[0], 10, 64); err == nil {
			return model.Some(v)
		}
	}
	return n
}
