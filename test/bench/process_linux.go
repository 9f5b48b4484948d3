// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// running is a tool at work.
type running struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer // nil: it goes where stdout goes
	ended  chan struct{}
	counts func(out []byte) (lost, told uint64) // in its output, if it is to be counted there
}

// start starts a tool in a session of its own, as users run it: the scheduler shares the CPU between sessions. Its
// stderr is kept for errors if it has none.
func start(t tool, stdout, stderr *os.File) (*running, error) {
	argv := t.Argv
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if t.TraceFS {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		argv = append([]string{self, roleExec}, argv...)
		attr.Unshareflags = syscall.CLONE_NEWNS
	}
	r := &running{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{}), counts: t.Lost}
	r.cmd.SysProcAttr, r.cmd.Env = attr, append(os.Environ(), t.Env...)
	if t.Dashboard {
		attr.Setctty, r.cmd.Stdin = true, stdout // descriptor 0 is its terminal
	}
	r.cmd.Stdout = stdout
	if stderr != nil {
		r.cmd.Stderr = stderr
	} else {
		r.stderr = new(bytes.Buffer)
		r.cmd.Stderr = r.stderr
	}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", t.Name, err)
	}
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	return r, nil
}

// stop ends a tool with a signal and says how long it took.
func (r *running) stop(how syscall.Signal) (time.Duration, error) {
	const patience = 5 * time.Second
	began := time.Now()
	select {
	case <-r.ended:
		return 0, fmt.Errorf("%s ended by itself: %s%s", r.cmd.Path, r.cmd.ProcessState, r.words())
	default:
	}
	r.cmd.Process.Signal(how)
	select {
	case <-r.ended:
		return time.Since(began), nil
	case <-time.After(patience):
		r.cmd.Process.Kill()
		<-r.ended
		return 0, fmt.Errorf("%s did not end within %v", r.cmd.Path, patience)
	}
}

// kill ends what has not ended yet.
func (r *running) kill() {
	r.cmd.Process.Kill()
	<-r.ended
}

func (r *running) words() string {
	if r.stderr == nil || r.stderr.Len() == 0 {
		return ""
	}
	return "\n" + strings.TrimSpace(r.stderr.String())
}

// cpu is the CPU time of the process.
func (r *running) cpu() (time.Duration, error) { return cpuOf(r.cmd.Process.Pid) }

// cpuOf is the CPU time of a process, user and kernel: clock_getcpuclockid(3), since /proc counts in 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err != nil {
		return 0, fmt.Errorf("cpu clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is the resident size in bytes, now and at its peak.
func (r *running) memory() (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	return kilobytes(text, "VmRSS:"), kilobytes(text, "VmHWM:"), nil
}

func kilobytes(status []byte, key string) float64 {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return float64(n << 10)
		}
	}
	return 0
}

// loadRun is what a load did and used.
type loadRun struct {
	loadResult
	CPU     time.Duration // of its processes
	Machine time.Duration // of all processes
}

// runLoad runs the load in a session and a network namespace of its own, which is empty at the start of each run.
func runLoad(ctx context.Context, length, pause time.Duration) (loadRun, error) {
	self, err := os.Executable()
	if err != nil {
		return loadRun{}, err
	}
	cmd := exec.CommandContext(ctx, self, roleServer, length.String(), pause.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	before, err := machineCPU()
	if err != nil {
		return loadRun{}, err
	}
	if err := cmd.Run(); err != nil {
		return loadRun{}, fmt.Errorf("load: %w %s", err, words.Bytes())
	}
	after, err := machineCPU()
	if err != nil {
		return loadRun{}, err
	}
	r := loadRun{CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Machine: after - before}
	if err := json.Unmarshal(out.Bytes(), &r.loadResult); err != nil {
		return loadRun{}, fmt.Errorf("load: %w", err)
	}
	if r.Connections == 0 {
		return loadRun{}, errors.New("load: no connection was made")
	}
	return r, nil
}

// machineCPU is the time that all processors together have been busy.
func machineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(strings.SplitN(string(text), "\n", 2)[0])
	var ticks int64
	for i, f := range fields {
		if i == 0 || i == 4 || i == 5 || i > 7 { // the name, idle, iowait, stolen and guests
			continue
		}
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks += n
	}
	const hz = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / hz, nil
}

// terminal opens a new pseudo-terminal: programs print to it at once, as they do for people.
func terminal() (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	var n int
	conn, err := ours.SyscallConn()
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err == nil {
		theirs, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return ours, theirs, nil
}
