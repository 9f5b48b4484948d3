// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
	"beltrace/internal/view"
)

// relayArgs are requests of one connection that pass through two threads: the first reads, spins, waits for a lock that
// another thread holds and hands over; the second spins and answers.
type relayArgs struct {
	Listener   socket
	N          int
	Spin, Hold time.Duration
}

// relayed is when what happened to one request, CLOCK_MONOTONIC.
type relayed struct {
	Reader, Writer                        uint32 // tids
	Read, Spun, Locked, Heard, Work, Said int64
	WorkCPU, SaidCPU                      int64 // ns that the second one was on a CPU, from Heard to Work, and to Said and a bit before Heard
	CalledCPU, ReadCPU, LockedCPU         int64 // the first one's own clock of CPU time: before the read, at Read, and at Locked
}

const futexWake = 1 | 128 // FUTEX_WAKE_PRIVATE

// lock waits for the word to become 0.
func lock(word *uint32) error {
	for atomic.LoadUint32(word) != 0 {
		_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, 1, 0, 0, 0)
		if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
			return errno
		}
	}
	return nil
}

// unlock sets the word to 0 after some time.
func unlock(word *uint32, after time.Duration) error {
	err := wholly(after, sleep)
	atomic.StoreUint32(word, 0)
	if _, _, errno := unix.Syscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1); errno != 0 {
		return errors.Join(err, errno)
	}
	return err
}

// bell is a pipe: a thread waits for a byte of another one.
type bell [2]int

func (b *bell) ring() error { _, err := unix.Write(b[1], []byte{1}); return err }

func (b *bell) wait() error {
	for {
		n, err := unix.Read(b[0], make([]byte, 1))
		if !errors.Is(err, unix.EINTR) {
			if err == nil && n == 0 {
				err = errors.New("the other thread is gone")
			}
			return err
		}
	}
}

// opRelay serves a connection so.
func opRelay(a relayArgs) (out []relayed, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16)) // no thread of it waits for Go's scheduler
	fd, _, err := unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	defer unix.Close(fd)
	var word uint32
	var hold, hand bell
	if err := errors.Join(unix.Pipe2(hold[:], unix.O_CLOEXEC), unix.Pipe2(hand[:], unix.O_CLOEXEC)); err != nil {
		return nil, err
	}
	ends := make(chan error, 2)
	out = make([]relayed, a.N)
	go func() {
		runtime.LockOSThread()
		for range a.N {
			if err := errors.Join(hold.wait(), unlock(&word, a.Spin+a.Hold)); err != nil {
				ends <- err
				return
			}
		}
		ends <- nil
	}()
	go func() {
		runtime.LockOSThread()
		for i := range out {
			if err := out[i].answer(&hand, fd, a.Spin); err != nil {
				ends <- err
				return
			}
		}
		ends <- nil
	}()
	for i := range out {
		if err := out[i].take(&hold, &hand, &word, fd, a.Spin); err != nil {
			return nil, err
		}
	}
	return out, errors.Join(<-ends, <-ends)
}

// take is the first thread's part.
func (r *relayed) take(hold, hand *bell, word *uint32, fd int, d time.Duration) error {
	r.Reader, r.CalledCPU = uint32(unix.Gettid()), threadCPU()
	for {
		_, _, err := unix.Recvfrom(fd, make([]byte, 4096), 0)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	r.Read, r.ReadCPU = testkit.Mono(), threadCPU()
	atomic.StoreUint32(word, 1)
	if err := errors.Join(hold.ring(), spin(d)); err != nil {
		return err
	}
	r.Spun = testkit.Mono()
	err := lock(word)
	r.Locked, r.LockedCPU = testkit.Mono(), threadCPU()
	return errors.Join(err, hand.ring())
}

// answer is the second one's.
func (r *relayed) answer(hand *bell, fd int, d time.Duration) error {
	r.Writer = uint32(unix.Gettid())
	called := threadCPU()
	err := hand.wait()
	r.Heard = testkit.Mono()
	heard := threadCPU()
	err = errors.Join(err, spin(d))
	r.Work, r.WorkCPU = testkit.Mono(), threadCPU()-heard
	_, last := unix.Write(fd, []byte(plainHead+"done"))
	r.Said, r.SaidCPU = testkit.Mono(), threadCPU()-called
	return errors.Join(err, last)
}

// TestLanes: what each thread that took part in a request did meanwhile, and when, is what the program knows of it; while
// somebody looks at a request, nothing of it is unseen.
func TestLanes(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 1})
	var at times
	untold, unseen := 0, 0
	if r := w.relay(p, l, 0); r != nil {
		for i := range r.did {
			at = append(at, r.judge(t, i)...)
		}
		if r.straight < len(r.did)/2 && !testkit.Guest() { // the others were put to sleep once more, by Go
			t.Errorf("%d of %d answers by a thread that was woken to give it", r.straight, len(r.did))
		}
		untold = r.untold
	}
	w.session.Stacks(p.server.PID)
	if !testkit.Until(settleTime, func() bool { return slices.Contains(w.session.Sets(), string(probes.Samples)) }) {
		t.Fatal("nobody heard that somebody looks")
	}
	if r := w.relay(p, l, relays); r != nil {
		for i := range r.did[1:] { // the first one may have begun before
			at = append(at, r.judge(t, i+1)...)
			at = append(at, r.judgeWhole(t, i+1)...)
		}
		untold, unseen = untold+r.untold, r.unseen
	}
	at.judge(t)
	if unseen > 1 && !testkit.Guest() { // one thread's coming may be hidden, where the kernel protects the process that left the CPU
		t.Errorf("not all is seen of %d lanes", unseen)
	}
	if untold > 0 && !testkit.Guest() {
		t.Errorf("%d waits are not told", untold)
	}
}

// relays is how many requests pass through the two threads at a time.
const relays = 5

// relayRound is what a program and a watch know of some requests.
type relayRound struct {
	did      []relayed
	all      []model.Exchange
	straight int // answers by a thread that was woken to give it
	untold   int // waits that are not told, and not claimed
	unseen   int // lanes of which a part is not
}

// relay has some requests answered; before is how many there were. It returns nil where it cannot be known.
func (w *watch) relay(p *pair, l socket, before int) *relayRound {
	w.t.Helper()
	const d = 5 * time.Millisecond
	relaying := begin[[]relayed](p.server, "relay", relayArgs{Listener: l, N: relays, Spin: d, Hold: 2 * d})
	do[[]fetched](p.client, "ask", askArgs{Server: l.Local, Paths: slices.Repeat([]string{"/relay"}, relays)})
	r := &relayRound{did: relaying.result(), all: w.exchanges(before + relays)}
	if w.leavesOut() || len(r.all) != before+relays {
		return nil
	}
	r.all = r.all[before:]
	return r
}

// judge compares the lanes of a request with what the threads know.
func (all *relayRound) judge(t testing.TB, i int) (at times) {
	t.Helper()
	r, x := &all.did[i], &all.all[i]
	reader, writer := laneOf(t, x, r.Reader), laneOf(t, x, r.Writer)
	if reader == nil || writer == nil {
		return nil
	}
	if reader.Wrote || !reader.Read || writer.Read || !writer.Wrote {
		t.Errorf("the reader's part is %+v, the writer's %+v", reader, writer)
	}
	switch waited := time.Duration(r.Locked - r.Spun); {
	case waited < time.Millisecond: // it came so late that the lock was free
	case unsure(reader, r.Spun, r.Locked):
		all.untold++
	default:
		began, ended := around(reader, "futex", r.Spun, r.Locked)
		at = append(at, r.sample("the reader's wait began", r.Spun, began.from, began.to, reader), r.sample("the reader's wait ended", r.Locked, ended.from, ended.to, reader))
	}
	at = append(at, r.sample("the writer was woken", woken(writer), r.Locked, r.Said, writer), r.sample("the writer's part ended", writer.Parts[len(writer.Parts)-1].To, r.Work, r.Said, writer))
	if reader.RunningNS.Known && i+1 < len(all.did) {
		at = append(at, r.sample("on a CPU", r.Read+reader.RunningNS.V, r.Read+r.LockedCPU-r.ReadCPU, r.Read+all.did[i+1].ReadCPU-r.CalledCPU, reader))
	}
	if r.sample("", woken(writer), r.Locked, r.Heard, writer).miss() == 0 {
		all.straight++
	}
	return at
}

// judgeWhole does so where nothing is unseen.
func (all *relayRound) judgeWhole(t testing.TB, i int) (at times) {
	t.Helper()
	r, x := &all.did[i], &all.all[i]
	for _, l := range view.Lanes(x) {
		if slices.ContainsFunc(l.Parts, func(p view.LanePart) bool { return p.Does == view.Unseen }) {
			t.Logf("not all is seen of thread %d: %+v in %+v", l.TID, l.Parts, x.Moments)
			all.unseen++
		}
	}
	writer := laneOf(t, x, r.Writer)
	if writer == nil {
		return nil
	}
	waits := longest(writer, "read")
	return append(at, r.sample("the writer's wait ended", waits.To, r.Locked, r.Heard, writer),
		r.sample("the writer on a CPU", r.Read+writer.RunningNS.V, r.Read+r.WorkCPU, r.Read+r.SaidCPU, writer))
}

// sample is a moment that a lane tells, and that the program measured, since the request was read.
func (r *relayed) sample(what string, got, from, to int64, l *view.Lane) sample {
	return sample{fmt.Sprintf("%s: thread %d did %+v: that", what, l.TID, l.Parts), time.Duration(got - r.Read), span{from - r.Read, to - r.Read}}
}

// laneOf returns what a thread did for a request.
func laneOf(t testing.TB, x *model.Exchange, tid uint32) *view.Lane {
	t.Helper()
	for _, l := range view.Lanes(x) {
		if l.TID == tid {
			return l
		}
	}
	t.Errorf("no lane of thread %d for %s: %+v", tid, x.Summary, x.Moments)
	return nil
}

// unsure reports whether most of a time is told as one of which it is not known when the thread ran: a switch was missed.
func unsure(l *view.Lane, from, to int64) bool {
	var ns int64
	for _, p := range l.Parts {
		if p.Does == view.Either {
			ns += max(0, min(p.To, to)-max(p.From, from))
		}
	}
	return 2*ns > to-from
}

// longest is the longest wait of a thread in a call.
func longest(l *view.Lane, on string) (out view.LanePart) {
	for _, p := range l.Parts {
		if p.Does == view.Blocked && p.On == on && p.To-p.From > out.To-out.From {
			out = p
		}
	}
	return out
}

// around returns when a thread's waits in a call within a time began and ended, with the times next to them in which it was on
// its way without a CPU. A signal may end a wait, and another one begins.
func around(l *view.Lane, on string, from, to int64) (began, ended span) {
	for i, p := range l.Parts {
		if p.Does != view.Blocked || p.On != on || p.To <= from || p.From >= to {
			continue
		}
		if began.to == 0 {
			began = span{p.From, p.From}
			if i > 0 && onItsWay(l.Parts[i-1]) {
				began.from = l.Parts[i-1].From
			}
		}
		ended = span{p.To, p.To}
		if i+1 < len(l.Parts) && onItsWay(l.Parts[i+1]) {
			ended.to = l.Parts[i+1].To
		}
	}
	return began, ended
}

func onItsWay(p view.LanePart) bool { return p.Does == view.Queued || p.Does == view.Either }

// woken is when a thread was last put on a run queue.
func woken(l *view.Lane) (at int64) {
	for _, p := range l.Parts {
		if p.Does == view.Blocked || p.Does == view.Unseen {
			at = p.To
		}
	}
	return at
}
