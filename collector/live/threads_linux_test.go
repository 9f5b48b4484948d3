// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"beltrace/bpf"
	"beltrace/collector/event"
)

func TestWaitNames(t *testing.T) {
	d := newDecoder()
	for what, want := range map[uint32]string{
		unix.SYS_READ + 1:                          "read",
		unix.SYS_ACCEPT4 + 1:                       "accept4",
		unix.SYS_NANOSLEEP + 1:                     "nanosleep",
		unix.SYS_FUTEX + 1:                         "futex",
		unix.SYS_EPOLL_PWAIT + 1:                   "epoll_pwait",
		unix.SYS_IO_URING_ENTER + 1:                "io_uring_enter",
		unix.SYS_EPOLL_PWAIT2 + 1:                  "epoll_pwait2",
		400:                                        "syscall_399", // a gap of both tables
		5000:                                       "syscall_4999",
		uint32(bpf.KernelThreadWaitWAIT_FAULT):     "page_fault",
		uint32(bpf.KernelThreadWaitWAIT_STOPPED):   "stopped",
		uint32(bpf.KernelThreadWaitWAIT_THROTTLED): "throttled",
		uint32(bpf.KernelThreadWaitWAIT_WORKER):    "io_worker",
		uint32(bpf.KernelThreadWaitWAIT_UNKNOWN):   "unknown",
		uint32(bpf.KernelThreadWaitWAIT_OTHER):     "other",
	} {
		if got := d.waitName(what); got != want {
			t.Errorf("%d is %q, want %q", what, got, want)
		}
	}
}

// blockedThread ran for 10 ns, waited for a CPU for 20 and was blocked for 30 and 40; it is blocked again since 200.
func blockedThread() bpf.KernelThread {
	t := bpf.KernelThread{First: 100, Since: 200, Running: 10, Runqueue: 20, Switches: 3, Migrations: 1, Pid: 7, Cpu: noCPU,
		State: uint8(bpf.KernelThreadStateTHREAD_BLOCKED), Slot: 1}
	t.Blocked[0], t.Blocked[1] = 30, 40
	t.What[0], t.What[1] = unix.SYS_READ+1, unix.SYS_FUTEX+1
	copy(t.Comm[:], "api")
	return t
}

func TestThreadTimes(t *testing.T) {
	times := func(watched, running, runqueue, read, futex int64) *event.ThreadTimes {
		return &event.ThreadTimes{WatchedNS: watched, RunningNS: running, RunqueueNS: runqueue,
			BlockedNS: map[string]int64{"read": read, "futex": futex}, Switches: 3, Migrations: 1}
	}
	for state, want := range map[bpf.KernelThreadState]*event.ThreadTimes{
		bpf.KernelThreadStateTHREAD_BLOCKED:  times(150, 10, 20, 30, 90),
		bpf.KernelThreadStateTHREAD_RUNNING:  times(150, 60, 20, 30, 40),
		bpf.KernelThreadStateTHREAD_RUNQUEUE: times(150, 10, 70, 30, 40),
		bpf.KernelThreadStateTHREAD_ENDED:    times(100, 10, 20, 30, 40),
	} {
		thread, e, d := blockedThread(), event.Event{Kind: event.Thread}, newDecoder()
		thread.State = uint8(state)
		proceed(&thread, 250)
		d.thread(8, &thread, &e)
		if diff := cmp.Diff(want, e.Thread); diff != "" {
			t.Errorf("state %d (-want +got):\n%s", state, diff)
		}
		if e.PID != 7 || e.TID != 8 || e.Comm != "api" || e.Known(event.FieldCPU) || e.Known(event.FieldConn) {
			t.Errorf("state %d: %s", state, e.AppendJSON(nil))
		}
	}
}

// TestTornThread: numbers that were read while they were written are told from whole ones.
func TestTornThread(t *testing.T) {
	thread := blockedThread()
	if !whole(&thread) {
		t.Error("it is whole")
	}
	for name, tear := range map[string]func(*bpf.KernelThread){
		"the state has changed, the sums have not": func(t *bpf.KernelThread) { t.Since += 5 },
		"a sum has changed, the time has not":      func(t *bpf.KernelThread) { t.Blocked[11] += 5 },
		"a change has begun":                       func(t *bpf.KernelThread) { t.Begun++ },
	} {
		thread := blockedThread()
		tear(&thread)
		if whole(&thread) {
			t.Errorf("%s: it passes", name)
		}
	}
}
