// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// interested is what a loop knows of what it waits for.
type interested struct {
	PID, TID                 uint32
	EpFD                     int
	Waits                    int
	Added, Modified, Removed uint64
	Said                     map[string]int64    // how often something came, by descriptor, since it was added
	Last                     map[string][2]int64 // and when last: between which moments
}

// interest is an epoll instance over socket pairs.
type interest struct {
	pairs
	interested
	modes []uint32
}

// opInterest adds descriptors to an instance, changes and removes some, and lets known ones become ready known times: by what is
// written to them one after the other, before they are waited for and after.
func opInterest(struct{}) (interested, error) {
	in := interest{modes: []uint32{0, unix.EPOLLET, unix.EPOLLONESHOT, 0, 0}}
	in.PID, in.TID, in.Said, in.Last = uint32(os.Getpid()), uint32(unix.Gettid()), map[string]int64{}, map[string][2]int64{}
	var err error
	if in.EpFD, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return in.interested, err
	}
	for i := range in.modes {
		both, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return in.interested, err
		}
		in.near, in.far = append(in.near, both[0]), append(in.far, both[1])
		if err := in.control(unix.EPOLL_CTL_ADD, i, unix.EPOLLIN); err != nil {
			return in.interested, err
		}
	}
	return in.interested, errors.Join(in.levelAndEdge(), in.oneshot(), in.again(), in.unasked(), in.control(unix.EPOLL_CTL_MOD, 0, unix.EPOLLIN))
}

// levelAndEdge: what comes before the loop has taken what is there counts, too. That the descriptor is told again, as long as it
// is ready, does not.
func (in *interest) levelAndEdge() error {
	return errors.Join(in.say(0, 2), in.say(1, 3), in.wait(2), in.wait(1), in.take(), in.say(0, 1), in.wait(1), in.take())
}

// oneshot: one that has been told is not watched until it is armed again. Then what is there is told, which nobody said.
func (in *interest) oneshot() error {
	err := errors.Join(in.say(2, 1), in.wait(1))
	if _, err := unix.Write(in.far[2], []byte{1}); err != nil {
		return err
	}
	return errors.Join(err, in.control(unix.EPOLL_CTL_MOD, 2, unix.EPOLLIN), in.wait(1), in.take(), in.control(unix.EPOLL_CTL_MOD, 2, unix.EPOLLIN), in.say(2, 1), in.wait(1), in.take())
}

// again: a descriptor that takes the number of another one begins anew, whether that was closed or removed.
func (in *interest) again() error {
	err := errors.Join(in.say(3, 5), in.say(4, 4), in.wait(2), in.take())
	both, e := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err = errors.Join(err, e); err != nil {
		return err
	}
	if err := unix.Dup3(both[0], in.near[3], unix.O_CLOEXEC); err != nil {
		return err
	}
	unix.Close(both[0])
	unix.Close(in.far[3])
	in.far[3] = both[1]
	return errors.Join(in.control(unix.EPOLL_CTL_ADD, 3, unix.EPOLLIN), in.say(3, 2), in.control(unix.EPOLL_CTL_DEL, 4, 0), in.control(unix.EPOLL_CTL_ADD, 4, unix.EPOLLIN),
		in.say(4, 1), in.wait(2), in.take())
}

// unasked: calls that fail change nothing, and what an instance does not ask for does not count.
func (in *interest) unasked() error {
	if err := unix.EpollCtl(in.EpFD, unix.EPOLL_CTL_ADD, in.near[0], &unix.EpollEvent{Events: unix.EPOLLIN}); err != unix.EEXIST {
		return fmt.Errorf("it is there already, and to add it says %v", err)
	}
	err := in.control(unix.EPOLL_CTL_MOD, 3, unix.EPOLLOUT)
	if _, err := unix.Write(in.far[3], []byte{1}); err != nil {
		return err
	}
	return errors.Join(err, in.take())
}

// control calls epoll_ctl.
func (in *interest) control(op, i int, events uint32) error {
	fd := in.near[i]
	if err := unix.EpollCtl(in.EpFD, op, fd, &unix.EpollEvent{Events: events | in.modes[i], Fd: int32(fd)}); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	switch name := strconv.Itoa(fd); op {
	case unix.EPOLL_CTL_ADD:
		in.Added++
		delete(in.Said, name)
		delete(in.Last, name)
	case unix.EPOLL_CTL_MOD:
		in.Modified++
	case unix.EPOLL_CTL_DEL:
		in.Removed++
	}
	return nil
}

// say makes a descriptor ready so often.
func (in *interest) say(i, times int) error {
	name := strconv.Itoa(in.near[i])
	for range times {
		from := testkit.Mono()
		if _, err := unix.Write(in.far[i], []byte{1}); err != nil {
			return err
		}
		in.Last[name] = [2]int64{from, testkit.Mono()}
	}
	in.Said[name] += int64(times)
	return nil
}

// wait waits for so many ready descriptors.
func (in *interest) wait(ready int) error {
	in.Waits++
	n, err := again(func() (int, error) { return unix.EpollWait(in.EpFD, make([]unix.EpollEvent, 16), 5000) })
	if err == nil && n != ready {
		err = fmt.Errorf("wait %d found %d ready, not %d", in.Waits, n, ready)
	}
	return err
}

// take reads all that is there.
func (in *interest) take() error {
	for _, fd := range in.near {
		unix.Read(fd, make([]byte, 64))
	}
	return nil
}

// checkInterest compares what is told of an instance: what epoll_ctl did, and how often each descriptor was ready, where this tier
// knows.
func (w *watch) checkInterest(t *testing.T, did interested) {
	t.Helper()
	e := w.until("all that epoll_ctl did", func(e *event.Event) bool {
		return e.Kind == event.Loop && e.TID == did.TID && int(e.Loop.EpFD) == did.EpFD && e.Loop.Modified >= did.Modified
	})
	l := e.Loop
	if l.Added != did.Added || l.Modified != did.Modified || l.Removed != did.Removed || !e.Known(event.FieldAdded) || !e.Known(event.FieldRemoved) {
		t.Errorf("it added %d, changed %d, removed %d; told is %s", did.Added, did.Modified, did.Removed, e.AppendJSON(nil))
	}
	i := slices.IndexFunc(w.snapshot().Loops, func(l model.Loop) bool { return l.TID == did.TID && l.EpFD == model.Some(int32(did.EpFD)) })
	if i < 0 {
		t.Fatal("there is no row of the loop")
	}
	row := w.snapshot().Loops[i]
	if row.Added != model.Some(did.Added) || row.Removed != model.Some(did.Removed) {
		t.Errorf("the row is %+v", row)
	}
	if !w.knows(knowsReadied) {
		if e.Known(event.FieldReadied) || e.Known(event.FieldReadiedTS) || e.Known(event.FieldReadiedFDs) || row.Readied.Known {
			t.Errorf("which descriptors became ready cannot be known; told is %s", e.AppendJSON(nil))
		}
		return
	}
	if diff := cmp.Diff(did.Said, l.Readied); diff != "" || int(l.ReadiedFDs) != len(did.Said) || !row.ReadiedAll || len(row.Readied.V) != len(did.Said) {
		t.Errorf("how often they were ready (-want +got):\n%s\ntold is %s, the row %+v", diff, e.AppendJSON(nil), row.Readied)
	}
	for name, at := range did.Last {
		if last := l.ReadiedTS[name]; last < at[0] || last > at[1] {
			t.Errorf("fd %s was last ready at %d, not within %v", name, last, at)
		}
	}
}
