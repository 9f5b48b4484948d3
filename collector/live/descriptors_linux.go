// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"

	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

// descriptors are how many a process has open, and how many it may have.
type descriptors struct {
	open  uint32
	limit uint64
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
	if d.open != 0 {
		e.OpenFDs, e.FDLimit = d.open, d.limit
		e.Set(event.FieldOpenFDs, event.FieldFDLimit)
	}
}

// descriptorsOf asks /proc; nothing if the process has gone.
func descriptorsOf(pid uint32) descriptors {
	var limit unix.Rlimit
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	info, err := os.Stat(dir)
	if err != nil || unix.Prlimit(int(pid), unix.RLIMIT_NOFILE, nil, &limit) != nil {
		return descriptors{}
	}
	if n := info.Size(); n > 0 { // the kernel counts them since 6.2 (f1f1f2569901)
		return descriptors{uint32(n), limit.Cur}
	}
	f, err := os.Open(dir)
	if err != nil {
		return descriptors{}
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return descriptors{uint32(len(names)), limit.Cur}
}
