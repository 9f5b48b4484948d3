// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	loadPort  = 29417 // outside of the ephemeral ports
	loadAddrs = 1000  // destinations, so that no pair of addresses runs out of ports
	loadBytes = 100   // of a request, and of its answer
)

// loadResult is what the load's client counted.
type loadResult struct {
	Connections int
	Elapsed     time.Duration
}

// lanes is how many connections there are at a time: twice the cores, so that none is ever idle.
func lanes(pause time.Duration) int {
	if pause > 0 {
		return 1
	}
	return 2 * runtime.NumCPU()
}

// steady keeps the Go runtime out of the measurement: no collections, and a processor for each thread.
func steady(threads int) {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(threads + 2)
}

// serve prepares this process's own network namespace, answers in it, starts the client and waits for its end.
func serve(length, pause time.Duration) error {
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_max_tw_buckets", []byte("4000000"), 0); err != nil {
		return err
	}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Port: loadPort}); err != nil {
		return fmt.Errorf("bind port %d: %w", loadPort, err)
	}
	if err := unix.Listen(listener, 1024); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	steady(lanes(pause))
	for range lanes(pause) {
		go answer(listener)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	client := exec.Command(self, roleClient, length.String(), pause.String())
	client.Stdout, client.Stderr = os.Stdout, os.Stderr
	client.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return client.Run()
}

// answer accepts connections and answers them, one after the other, until the process ends.
func answer(listener int) {
	runtime.LockOSThread()
	buf := make([]byte, loadBytes)
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			continue
		}
		if n, err := unix.Read(fd, buf); err == nil && n > 0 {
			unix.Write(fd, buf[:n])
			unix.Read(fd, buf) // the client's FIN
		}
		unix.Close(fd)
	}
}

// dial opens connections for the given time and prints how many there were. pause: between two of them; 0: none.
func dial(length, pause time.Duration) error {
	n := lanes(pause)
	steady(n)
	counts, errs := make([]int, n), make([]error, n)
	var wg sync.WaitGroup
	start := time.Now()
	for lane := range n {
		wg.Go(func() {
			runtime.LockOSThread()
			for i := lane; time.Since(start) < length && errs[lane] == nil; i += n {
				errs[lane] = exchange(i)
				counts[lane]++
				if pause > 0 {
					time.Sleep(pause)
				}
			}
		})
	}
	wg.Wait()
	r := loadResult{Elapsed: time.Since(start)}
	for _, c := range counts {
		r.Connections += c
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// exchange is one short connection: request, answer, end.
func exchange(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	i %= loadAddrs
	to := unix.SockaddrInet4{Port: loadPort, Addr: [4]byte{127, 0, byte(i / 250), byte(i%250 + 1)}}
	if err := unix.Connect(fd, &to); err != nil {
		return fmt.Errorf("connect %d: %w", i, err)
	}
	var buf [loadBytes]byte
	if _, err := unix.Write(fd, buf[:]); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if _, err := unix.Read(fd, buf[:]); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}
