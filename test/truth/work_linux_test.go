// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// Ways in which a thread passes the time.
const (
	worksBySleep  = "sleep"  // nanosleep
	worksBySpin   = "spin"   // on the CPU
	worksByFutex  = "futex"  // waits for a futex that nobody wakes
	worksByPipe   = "pipe"   // reads a pipe that another thread writes to
	worksBySocket = "socket" // receives from a socket that another thread answers on
	worksByCalls  = "calls"  // callsEach system calls that do nothing
)

// callsEach is how many calls one turn of work makes.
const callsEach = 10_000

const futexWait = 0 | 128 // FUTEX_WAIT_PRIVATE

// restTime is longer than the time between two events of a thread that does something.
const restTime = 1500 * time.Millisecond

type workArgs struct {
	Listener socket
	N        int
	How      string
	For      time.Duration
	CPU      int // pins the thread to this CPU, from 1 on; 0: to none
}

// worked is what a thread knows about itself.
type worked struct {
	PID, TID uint32
	Took     int64 // ns between the calls and returns of what it passed the time with
	CPU      Least // ns of CPU time: its own clock
	Queued   Least // ns that it waited for a CPU, by /proc/thread-self/schedstat
	Untold   bool  // this kernel does not tell Queued
	Began    int64 // before the first accept, or work
	Returned int64 // after the last work
}

// Least is how much of something a thread had from the return of its first accept on, and from before its call.
type Least struct{ Least, Most int64 }

func (l Least) span() span { return span{l.Least, l.Most} }

// opWork accepts n connections and passes some time after each accept. Without a listener it only passes the time.
func opWork(a workArgs) (w worked, err error) {
	w.PID, w.TID = uint32(os.Getpid()), uint32(unix.Gettid())
	if a.CPU > 0 {
		var set unix.CPUSet
		set.Set(a.CPU - 1)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return w, fmt.Errorf("pin: %w", err)
		}
	}
	pass, err := passTime(a)
	if err != nil {
		return w, err
	}
	w.Began = testkit.Mono()
	cpu, queued := threadCPU(), threadQueued()
	for i := range a.N {
		fd, err := w.accept(a.Listener)
		if err != nil {
			return w, err
		}
		if i == 0 {
			w.CPU.Least, w.Queued.Least = threadCPU(), threadQueued()
		}
		if err := w.turn(a.How, pass, fd); err != nil {
			return w, err
		}
	}
	w.Returned, w.Untold = testkit.Mono(), queued < 0
	w.CPU.Least, w.Queued.Least = threadCPU()-w.CPU.Least, threadQueued()-w.Queued.Least
	w.Queued.Most = threadQueued() - queued
	w.CPU.Most = threadCPU() - cpu   // the last one, as reading the others takes time
	return w, wholly(restTime, rest) // what comes after is not to be mixed with the work
}

// accept takes a connection, if there is a listener; else it returns -1.
func (w *worked) accept(l socket) (int, error) {
	if l.FD == 0 {
		return -1, nil
	}
	fd, _, err := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
	if err != nil {
		return fd, fmt.Errorf("accept: %w", err)
	}
	return fd, nil
}

func (w *worked) turn(how string, pass func() error, fd int) error {
	called := testkit.Mono()
	if err := pass(); err != nil {
		return fmt.Errorf("%s: %w", how, err)
	}
	w.Took += testkit.Mono() - called
	if fd >= 0 {
		return unix.Close(fd)
	}
	return nil
}

// passTime returns what passes the time.
func passTime(a workArgs) (func() error, error) {
	switch a.How {
	case worksBySleep:
		return func() error { return wholly(a.For, sleep) }, nil
	case worksBySpin:
		return func() error { return spin(a.For) }, nil
	case worksByFutex:
		return func() error { return wholly(a.For, waitOnFutex) }, nil
	case worksByCalls:
		return func() error {
			for range callsEach {
				unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
			return nil
		}, nil
	case worksByPipe, worksBySocket:
		return answered(a)
	}
	return nil, fmt.Errorf("no work %q", a.How)
}

// wholly passes some time in a call that a signal may end too early: Go's runtime sends its threads some to preempt.
func wholly(d time.Duration, call func(*unix.Timespec) error) error {
	for end := testkit.Mono() + int64(d); ; {
		left := unix.NsecToTimespec(end - testkit.Mono())
		if left.Sec < 0 || left.Nsec < 0 {
			return nil
		}
		if err := call(&left); err != unix.EINTR {
			return err
		}
	}
}

//go:noinline
func spin(d time.Duration) error {
	for end := threadCPU() + int64(d); threadCPU() < end; {
	}
	return nil
}

//go:noinline
func sleep(d *unix.Timespec) error { return unix.Nanosleep(d, nil) }

func rest(d *unix.Timespec) error {
	_, err := unix.Ppoll(nil, d, nil)
	return err
}

//go:noinline
func waitOnFutex(d *unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(new(uint32))), futexWait, 0, uintptr(unsafe.Pointer(d)), 0, 0)
	if errno == 0 || errno == unix.ETIMEDOUT {
		return nil
	}
	return errno
}

// answered waits for a byte that another thread sends some time after it was asked.
func answered(a workArgs) (func() error, error) {
	var ask, answer, hear, tell [2]int
	if err := unix.Pipe2(ask[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	var err error
	if a.How == worksByPipe {
		err = unix.Pipe2(answer[:], unix.O_CLOEXEC)
		hear, tell = [2]int{answer[0]}, [2]int{answer[1]}
	} else {
		answer, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		hear, tell = [2]int{answer[0]}, [2]int{answer[1]}
	}
	if err != nil {
		return nil, err
	}
	go func() {
		runtime.LockOSThread()
		for range a.N {
			unix.Read(ask[0], make([]byte, 1))
			wholly(a.For, sleep)
			unix.Write(tell[0], []byte{1})
		}
	}()
	return func() error {
		if _, err := unix.Write(ask[1], []byte{1}); err != nil {
			return err
		}
		if a.How == worksByPipe {
			_, err := unix.Read(hear[0], make([]byte, 1))
			return err
		}
		_, _, err := unix.Recvfrom(hear[0], make([]byte, 1), 0)
		return err
	}, nil
}

// threadCPU is the CPU time of the calling thread in ns. Go's scheduler does not hear of the call: it has no occasion to take
// the thread's place away.
func threadCPU() int64 {
	var ts unix.Timespec
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return ts.Nano()
}

// threadQueued is how long the calling thread has waited for a CPU so far, in ns; -1 if this kernel does not tell.
func threadQueued() int64 {
	var cpu, queued, slices int64
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return -1
	}
	if _, err := fmt.Sscan(string(text), &cpu, &queued, &slices); err != nil || cpu == 0 {
		return -1
	}
	return queued
}
