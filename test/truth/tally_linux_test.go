// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
	"beltrace/internal/uring"
)

// opSum is what a program counted of the operations of one kind.
type opSum struct{ Submitted, Count, Errors, More, Linked, Fixed, Direct uint64 }

// tallied is what a program counted of two rings: on the first links, multishot and registered files, the second one is
// polled by a thread of the kernel's.
type tallied struct {
	Links, Polled map[string]opSum
	Poller        uint32 // that thread
	Most          int64  // ns that a read of the second ring was in flight, at most
}

// tally counts what it does with a ring.
type tally struct {
	ring  *uring.Ring
	sums  map[string]opSum
	names []string // of the operations, by user_data
	taken []uring.CQE
}

func openTally(o uring.Options) (*tally, error) {
	r, err := uring.Open(8, o)
	return &tally{ring: r, sums: map[string]opSum{}}, err
}

// next fills in a submission.
func (y *tally) next(name string, flags uint8, fill func(*uring.SQE) *uring.SQE) {
	free := y.ring.Next()
	for ; free == nil; free = y.ring.Next() { // a thread of the kernel's is about to have taken them
		runtime.Gosched()
	}
	e := fill(free)
	e.Flags |= flags
	e.UserData = uint64(len(y.names))
	y.names = append(y.names, name)
	s := y.sums[name]
	s.Submitted++
	for _, f := range []struct {
		n  *uint64
		is bool
	}{{&s.Linked, flags&uring.Link != 0}, {&s.Fixed, flags&uring.FixedFile != 0}, {&s.Direct, name == "accept" && e.FileIndex != 0}} {
		if f.is {
			*f.n++
		}
	}
	y.sums[name] = s
}

// submit waits for so many completions, and returns their results.
func (y *tally) submit(wait uint32) ([]int32, error) {
	var results []int32
	_, err := y.ring.Submit(wait)
	for c := range y.ring.Reap() {
		s := y.sums[y.names[c.UserData]]
		s.Count++
		if c.Res < 0 {
			s.Errors++
		}
		if c.More() {
			s.More++
		}
		y.sums[y.names[c.UserData]] = s
		y.taken, results = append(y.taken, c), append(results, c.Res)
	}
	return results, err
}

// opTally uses two rings, which end with it.
func opTally(l socket) (tallied, error) {
	var out tallied
	first, err := openTally(uring.Options{})
	if err != nil {
		return out, err
	}
	defer first.ring.Close()
	memory, err := uring.Memory(4096)
	if err != nil {
		return out, err
	}
	if err := errors.Join(first.links(memory), first.direct(l, memory), first.multishot(l)); err != nil {
		return out, err
	}
	out.Links = first.sums
	second, err := openTally(uring.Options{Flags: uring.SQPoll})
	if err != nil {
		return out, err
	}
	defer second.ring.Close()
	out.Polled = second.sums
	if err := second.polled(memory, &out); err != nil {
		return out, err
	}
	out.Poller, err = poller() // which has given itself its name by now
	return out, err
}

// links makes a chain that comes to its end, and one whose second operation fails.
func (y *tally) links(memory []byte) error {
	nop := func(flags uint8) { y.next("nop", flags, (*uring.SQE).Nop) }
	nop(uring.Link)
	nop(uring.Link)
	nop(0)
	if _, err := y.submit(3); err != nil {
		return err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	nop(uring.Link)
	y.next("recv", uring.Link, func(e *uring.SQE) *uring.SQE { return e.Recv(pipe[0], memory[:8]) }) // no socket
	nop(uring.Link)
	nop(0)
	got, err := y.submit(4)
	const failed, cancelled = -int32(unix.ENOTSOCK), -int32(unix.ECANCELED)
	slices.Sort(got)
	if want := []int32{cancelled, cancelled, failed, 0}; !slices.Equal(got, want) {
		return errors.Join(err, fmt.Errorf("the results of a chain are %v, want %v", got, want))
	}
	return nil
}

// direct accepts into a registered file, and reads from it.
func (y *tally) direct(l socket, memory []byte) error {
	if err := y.ring.RegisterFiles(4); err != nil {
		return err
	}
	client, err := dialSelf(l)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	y.next("accept", 0, func(e *uring.SQE) *uring.SQE { return e.AcceptDirect(l.FD, 2) })
	got, err := y.submit(1)
	if err != nil || got[0] == -int32(unix.EINVAL) { // 5.15
		return err
	}
	y.next("recv", uring.FixedFile, func(e *uring.SQE) *uring.SQE { return e.Recv(2, memory[:8]) })
	if got, err = y.submit(1); err == nil && got[0] != 2 {
		err = fmt.Errorf("a read of a registered file returned %d", got[0])
	}
	return err
}

// dialSelf connects to a listener of this process and says hi.
func dialSelf(l socket) (int, error) {
	family, to := toSockaddr(l.Local)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, to)
	}
	if err == nil {
		_, err = unix.Write(fd, []byte("hi"))
	}
	return fd, err
}

// multishot accepts three connections and receives three times by one submission each. The listener listens no more then.
func (y *tally) multishot(l socket) error {
	b, err := y.ring.Buffers(1, 4, 64)
	if errors.Is(err, unix.EINVAL) { // 5.19
		return nil
	}
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	y.next("accept", 0, func(e *uring.SQE) *uring.SQE { return e.AcceptMultishot(l.FD, unix.SOCK_CLOEXEC) })
	y.next("recv", 0, func(e *uring.SQE) *uring.SQE { return e.RecvMultishot(pair[0], b) })
	for range 3 {
		client, err := dialSelf(l)
		if err != nil {
			return err
		}
		got, err := y.submit(1)
		if err != nil {
			return err
		}
		unix.Close(client)
		unix.Close(int(got[0]))
		if _, err := unix.Write(pair[1], []byte("hello")); err != nil {
			return err
		}
		if _, err := y.submit(1); err != nil {
			return err
		}
	}
	unix.Close(pair[1])
	unix.Shutdown(l.FD, unix.SHUT_RD)
	for last := 0; last < 2; {
		y.taken = y.taken[:0]
		if _, err := y.submit(1); err != nil {
			return err
		}
		for _, c := range y.taken {
			if !c.More() {
				last++
			}
		}
	}
	return nil
}

// polled never enters the kernel to submit.
func (y *tally) polled(memory []byte, out *tallied) error {
	for range 5 {
		for range 8 {
			y.next("nop", 0, (*uring.SQE).Nop)
		}
		if _, err := y.submit(8); err != nil {
			return err
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	for range 3 {
		called := testkit.Mono()
		y.next("read", 0, func(e *uring.SQE) *uring.SQE { return e.Read(pair[0], memory[:8], ^uint64(0)) })
		if _, err := y.submit(0); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
		if _, err := unix.Write(pair[1], []byte("hello")); err != nil {
			return err
		}
		if _, err := y.submit(1); err != nil {
			return err
		}
		out.Most = max(out.Most, testkit.Mono()-called)
	}
	return nil
}

// poller finds the thread that the kernel has made for a ring of this process.
func poller() (uint32, error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, err
	}
	for _, d := range threads {
		name, _ := os.ReadFile("/proc/self/task/" + d.Name() + "/comm")
		if strings.HasPrefix(string(name), "iou-sqp-") {
			var tid uint32
			_, err := fmt.Sscan(d.Name(), &tid)
			return tid, err
		}
	}
	return 0, errors.New("no thread polls for the ring")
}

// tallies compares what a program counted of its rings 4 and 5 with what was added up in the kernel, and with the events.
func (w *watch) tallies(t *testing.T, pid uint32, want tallied) {
	t.Helper()
	for n, sums := range map[uint32]map[string]opSum{4: want.Links, 5: want.Polled} {
		e := w.until("the end of the ring", func(e *event.Event) bool {
			return e.Kind == event.Ring && e.Known(event.FieldPhase) && e.PID == pid && e.Uring.Ring == n
		})
		got := map[string]opSum{}
		for _, o := range e.Uring.Ops {
			got[o.Op] = opSum{o.Submitted, o.Count, o.Errors, o.More, o.Linked, o.Fixed, o.Direct}
			if n == 5 && o.Op == "read" && (int64(o.MaxNS) > want.Most || o.Latency[len(o.Latency)-1][0] > o.MaxNS) {
				t.Errorf("reads took up to %d ns (%v), want at most %d", o.MaxNS, o.Latency, want.Most)
			}
		}
		if !maps.Equal(got, sums) {
			t.Errorf("operations of ring %d: %+v, want %+v", n, got, sums)
		}
		if polled := strings.Contains(e.Uring.Setup, "sqpoll"); polled != (n == 5) {
			t.Errorf("ring %d is set up with %q", n, e.Uring.Setup)
		}
		if e.Known(event.FieldOverflow) == oldKernel(t) { // 5.10 has no sign of it
			t.Errorf("whether the completion queue of ring %d was full is known: %v", n, e.Known(event.FieldOverflow))
		}
		if n == 5 && e.TID != want.Poller {
			t.Errorf("thread %d submitted, want %d", e.TID, want.Poller)
		}
		if e.Uring.InFlight != 0 {
			t.Errorf("%d operations of ring %d are in flight at its end", e.Uring.InFlight, n)
		}
	}
	for _, e := range w.seen() {
		if e.Kind == event.UringSubmit && e.Uring.Ring == 5 && e.TID != want.Poller {
			w.wrong("the polling thread is %d, but: %s", want.Poller, e.AppendJSON(nil))
		}
	}
}
