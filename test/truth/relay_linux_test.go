// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/collector/model"
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
	err := hand.wait()
	r.Heard = testkit.Mono()
	err = errors.Join(err, spin(d))
	r.Work = testkit.Mono()
	_, last := unix.Write(fd, []byte(plainHead+"done"))
	r.Said = testkit.Mono()
	return errors.Join(err, last)
}

// TestLanes: what each thread that took part in a request did meanwhile, and when, is what the program knows of it.
func TestLanes(t *testing.T) {
	const n, d = 8, 5 * time.Millisecond
	p := newPair(t)
	w := p.watchPrograms(t)
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 1})
	relaying := begin[[]relayed](p.server, "relay", relayArgs{Listener: l, N: n, Spin: d, Hold: 2 * d})
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/relay/%d", i)
	}
	do[[]fetched](p.client, "ask", askArgs{Server: l.Local, Paths: paths})
	did := relaying.result()
	all := w.exchanges(n)
	if w.leavesOut() || len(all) != n {
		return
	}
	var at times
	straight := 0
	for i, r := range did {
		x := &all[i]
		reader, writer := laneOf(t, x, r.Reader), laneOf(t, x, r.Writer)
		if reader == nil || writer == nil {
			continue
		}
		if reader.Wrote || !reader.Read || writer.Read || !writer.Wrote {
			t.Errorf("the reader's part is %+v, the writer's %+v", reader, writer)
		}
		waits := longest(reader, "futex")
		at = append(at, r.sample("the reader's wait began", waits.From, r.Spun, r.Spun, reader), r.sample("the reader's wait ended", waits.To, r.Locked, r.Locked, reader),
			r.sample("the writer was woken", woken(writer), r.Locked, r.Said, writer), r.sample("the writer's part ended", writer.Parts[len(writer.Parts)-1].To, r.Work, r.Said, writer))
		if reader.RunningNS.Known && i+1 < len(did) {
			at = append(at, r.sample("on a CPU", r.Read+reader.RunningNS.V, r.Read+r.LockedCPU-r.ReadCPU, r.Read+did[i+1].ReadCPU-r.CalledCPU, reader))
		}
		if r.sample("", woken(writer), r.Locked, r.Heard, writer).miss() == 0 {
			straight++
		}
	}
	at.judge(t)
	if straight < n/2 && !testkit.Guest() { // the others were put to sleep once more, by Go
		t.Errorf("%d of %d answers by a thread that was woken to give it", straight, n)
	}
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

// longest is the longest wait of a thread in a call.
func longest(l *view.Lane, on string) (out view.LanePart) {
	for _, p := range l.Parts {
		if p.Does == view.Blocked && p.On == on && p.To-p.From > out.To-out.From {
			out = p
		}
	}
	return out
}

// woken is when a thread was last put on a run queue.
func woken(l *view.Lane) (at int64) {
	for _, p := range l.Parts {
		if p.Does == view.Blocked || p.Does == view.Unseen {
			at = p.To
		}
	}
	return at
}
