// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"beltrace/collector/model"
	"beltrace/internal/testkit"

	"golang.org/x/sys/unix"
)

// TestDescriptorsOfOtherUser: what a process of another user has open, and its limit, is known without CAP_SYS_RESOURCE.
func TestDescriptorsOfOtherUser(t *testing.T) {
	testkit.Root(t)
	const limit = 77
	sleep := exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d; exec sleep 60", limit))
	sleep.Dir = "/"
	sleep.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	runtime.LockOSThread() // the thread ends with the test
	withoutResource(t)
	pid := uint32(sleep.Process.Pid)
	if !testkit.Until(5*time.Second, func() bool { return descriptorsOf(pid).limit == model.Some[uint64](limit) }) {
		t.Errorf("the limit is %+v, want %d", descriptorsOf(pid).limit, limit)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	if got := descriptorsOf(pid).open; got != model.Some(uint32(len(files))) {
		t.Errorf("%+v are open, want %d", got, len(files))
	}
}

// withoutResource takes CAP_SYS_RESOURCE from the thread.
func withoutResource(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		t.Fatal(err)
	}
	sets[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	if err := unix.Capset(&header, &sets[0]); err != nil {
		t.Fatal(err)
	}
}

// TestFileLimit: what is not there is not known, a limit of 0 is.
func TestFileLimit(t *testing.T) {
	const line = "Max processes             100                  100                  processes \nMax open files            %s                 4096                 files     \n"
	for text, want := range map[string]model.Opt[uint64]{
		"":                             {},
		fmt.Sprintf(line, "1024"):      model.Some[uint64](1024),
		fmt.Sprintf(line, "0"):         model.Some[uint64](0),
		fmt.Sprintf(line, "unlimited"): {},
	} {
		if got := fileLimit(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
