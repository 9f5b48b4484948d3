// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// NetNS is a network namespace of its own, with nothing in it but a loopback device that is up.
type NetNS struct {
	ID   uint32 // inode number, as events name it
	file *os.File
}

// NewNetNS makes a network namespace that lives until the test ends (and no process is left in it).
func NewNetNS(t testing.TB) *NetNS {
	t.Helper()
	ns := new(NetNS)
	if err := onThread(ns.make); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	t.Cleanup(func() { ns.file.Close() })
	return ns
}

// onThread runs f on a thread that ends with it, so that whatever f does to the thread is gone. It is never the first
// thread, which cannot end and is what /proc/self shows.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			result <- onThread(f) // on another one, since this one is taken
			runtime.UnlockOSThread()
			return
		}
		result <- f()
	}()
	return <-result
}

// UnshareNet has the calling thread enter a new network namespace, with nothing in it but a loopback device that is up.
func UnshareNet() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return loopbackUp()
}

func (ns *NetNS) make() error {
	if err := UnshareNet(); err != nil {
		return err
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		file.Close()
		return fmt.Errorf("stat %s: %w", file.Name(), err)
	}
	ns.ID, ns.file = uint32(st.Ino), file
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

// Path names the namespace's file, for --netns; it is valid for any process of this machine until the test ends.
func (ns *NetNS) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.file.Fd()) }

// Hold returns a file that keeps the namespace, and so its number, when the test has ended; the caller closes it.
func (ns *NetNS) Hold(t testing.TB) *os.File {
	t.Helper()
	file, err := os.Open(ns.Path())
	if err != nil {
		t.Fatalf("hold network namespace: %v", err)
	}
	return file
}

// Do runs f on a thread that is inside the namespace; processes and sockets that f makes stay there.
func (ns *NetNS) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// Sysctl sets a value below net/ in this namespace, like ipv4/tcp_fastopen.
func (ns *NetNS) Sysctl(t testing.TB, name, value string) {
	t.Helper()
	err := ns.Do(func() error { return os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0) })
	if err != nil {
		t.Fatalf("set net/%s to %s: %v", name, value, err)
	}
}
