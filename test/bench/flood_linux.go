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
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/test/spoof"
)

// floodResult is what the flood's process says of it.
type floodResult struct {
	Sent    int
	Refused uint64 // as the namespace's own counter has it
	Elapsed time.Duration
	CPU     time.Duration // of the process, in which the kernel handles the SYNs too
}

// flood sends SYNs of clients that do not exist to a listener of its own, in this process's network namespace.
func flood(length time.Duration) error {
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syncookies", []byte("0"), 0); err != nil {
		return err
	}
	tun, err := spoof.Open()
	if err != nil {
		return err
	}
	defer tun.Close()
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Port: loadPort, Addr: spoof.Server().As4()}); err != nil {
		return fmt.Errorf("bind port %d: %w", loadPort, err)
	}
	if err := unix.Listen(listener, floodBacklog); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	steady(1)
	r, err := sendSYNs(tun, length)
	if err != nil {
		return err
	}
	time.Sleep(2500 * time.Millisecond) // a sample of each second, and one that agrees with it
	if r.Refused, err = listenDrops(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// sendSYNs keeps the rate, a millisecond's share at a time.
func sendSYNs(tun spoof.Tun, length time.Duration) (r floodResult, err error) {
	const share = floodRate / 1000
	var ru unix.Rusage
	start := time.Now()
	for tick := time.Duration(1); r.Elapsed < length; tick++ {
		for range share {
			if err := tun.Send(spoof.Segment{Client: spoof.Client(r.Sent), Port: loadPort, Flags: spoof.SYN, Seq: 1}); err != nil {
				return r, err
			}
			r.Sent++
		}
		time.Sleep(time.Until(start.Add(tick * time.Millisecond)))
		r.Elapsed = time.Since(start)
	}
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return r, err
	}
	r.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	return r, nil
}

// listenDrops reads what this namespace's listeners have refused.
func listenDrops() (uint64, error) {
	text, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, name := range names {
			if name == "ListenDrops" {
				return strconv.ParseUint(words[i], 10, 64)
			}
		}
	}
	return 0, errors.New("/proc/self/net/netstat has no ListenDrops")
}

// floods measures the SYN flood with trace syn_drop,queue --json, between floods without.
func (s *session) floods(ctx context.Context) error {
	dir, err := os.MkdirTemp("/dev/shm", "beltrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for round := range s.Pairs {
		off, err := runFlood(ctx, s.For)
		if err != nil {
			return err
		}
		m, err := s.flooded(ctx, filepath.Join(dir, "output"))
		if err != nil {
			return err
		}
		m.Off = float64(off.CPU) / float64(off.Sent)
		s.report.Floods = append(s.report.Floods, m)
		s.say("%d/%d flood  %.0f SYNs/s, %.2f µs a SYN, off %.2f; told %d of %d refusals in %d lines; tool %.1f %% of a CPU", round+1, s.Pairs,
			m.Rate, m.CPU/1e3, m.Off/1e3, m.Told, m.Refused, m.Lines, 100*m.Tool)
	}
	return nil
}

// flooded is one flood with the tool.
func (s *session) flooded(ctx context.Context, path string) (m floodSample, err error) {
	out, err := os.Create(path)
	if err != nil {
		return m, err
	}
	defer out.Close()
	run, err := start(tool{Argv: []string{s.Beltrace, "trace", "syn_drop,queue", "--json", "--port", strconv.Itoa(loadPort)}}, out, nil)
	if err != nil {
		return m, err
	}
	defer run.kill()
	time.Sleep(warmUp)
	before, err := run.cpu()
	if err != nil {
		return m, err
	}
	began := time.Now()
	f, err := runFlood(ctx, s.For)
	if err != nil {
		return m, err
	}
	after, err := run.cpu()
	if err != nil {
		return m, err
	}
	m = floodSample{
		Rate: float64(f.Sent) / f.Elapsed.Seconds(), CPU: float64(f.CPU) / float64(f.Sent), Refused: f.Refused,
		Tool: float64(after-before) / float64(time.Since(began)),
	}
	if m.RSS, _, err = run.memory(); err != nil {
		return m, err
	}
	if _, err := run.stop(syscall.SIGTERM); err != nil {
		return m, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	m.Told, m.Lines, err = toldRefusals(text)
	return m, err
}

// runFlood runs the flood in a network namespace of its own.
func runFlood(ctx context.Context, length time.Duration) (floodResult, error) {
	var r floodResult
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, roleFlood, length.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("flood: %w %s", err, words.Bytes())
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("flood: %w", err)
	}
	return r, nil
}

// toldRefusals adds up the refusals that lines of trace --json tell.
func toldRefusals(text []byte) (told uint64, lines int, err error) {
	for line := range bytes.Lines(text) {
		var e event.Event
		if err := e.UnmarshalJSON(line); err != nil {
			return told, lines, fmt.Errorf("line %q: %w", line, err)
		}
		lines++
		if e.Kind == event.SYNDrop {
			told += max(1, e.Count)
		}
	}
	return told, lines, nil
}
