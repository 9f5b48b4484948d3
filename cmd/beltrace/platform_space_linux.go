// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"golang.org/x/sys/unix"

	"beltrace/collector/live"
)

// space is a network namespace that we made, with nothing but loopback in it. It goes when it is closed and no process is
// left in it.
type space struct{ file *os.File }

// newSpace makes a network namespace. Its error is a *live.Unsupported when the privileges do not allow it.
func newSpace() (*space, error) {
	s := &space{}
	done := make(chan error)
	go onThread(nil, func(err error) {
		if err == nil {
			err = s.make()
		}
		done <- err
	})
	err := <-done
	if errors.Is(err, unix.EPERM) {
		return nil, &live.Unsupported{What: "this demo needs a network namespace of its own, and making one takes CAP_SYS_ADMIN", Do: live.Obtain("CAP_SYS_ADMIN"), Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return s, nil
}

// make moves the calling thread into a new namespace: the thread must end with that.
func (s *space) make() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
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
	s.file, err = os.Open("/proc/thread-self/ns/net")
	return err
}

// Close lets the namespace go.
func (s *space) Close() error { return s.file.Close() }

var sysctlName = regexp.MustCompile(`^[a-z0-9_]+$`)

// Sysctl sets net.ipv4.NAME in the namespace.
func (s *space) Sysctl(name, value string) error {
	if !sysctlName.MatchString(name) {
		return fmt.Errorf("set net.ipv4.%q: no such name", name)
	}
	done := make(chan error)
	go onThread(s, func(err error) {
		if err == nil {
			// What /proc/sys/net shows is the namespace of the thread that opens it.
			err = os.WriteFile(filepath.Join("/proc/sys/net/ipv4", name), []byte(value), 0)
		}
		done <- err
	})
	if err := <-done; err != nil {
		return fmt.Errorf("set net.ipv4.%s to %s: %w", name, value, err)
	}
	return nil
}

// onThread runs f on a thread of its own, inside the namespace unless that is nil, and the thread ends with it. It is never the
// process's first thread, which cannot end and stands for the process in /proc. f gets the error if it is not inside.
func onThread(in *space, f func(error)) {
	runtime.LockOSThread() // and never unlocked, but for the first one
	if unix.Gettid() == os.Getpid() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			onThread(in, f)
		}()
		<-done
		runtime.UnlockOSThread()
		return
	}
	var err error
	if in != nil {
		if err = unix.Setns(int(in.file.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("enter the demo's network namespace: %w", err)
		}
	}
	f(err)
}
