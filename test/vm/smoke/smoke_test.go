// SPDX-License-Identifier: Apache-2.0

//go:build guest

// Package smoke tests that a guest is what the kernel tests take for granted. Package main in test/vm runs it before
// them in every guest, so that a broken guest is not mistaken for a broken beltrace.
package smoke

import (
	"net"
	"os"
	"testing"
)

// TestFiles tests that the kernel describes itself and that the file systems are mounted.
func TestFiles(t *testing.T) {
	for _, path := range []string{
		"/sys/kernel/btf/vmlinux",
		"/sys/kernel/tracing/events/sock/inet_sock_set_state/id",
		"/sys/fs/cgroup/cgroup.procs",
		"/proc/sys/net/core/somaxconn",
	} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("guest lacks it: %v", err)
		}
	}
}

// TestLoopback tests that both address families reach the guest itself.
func TestLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			ln, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			s, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
}

// TestModules tests that the modules which tests may use are loaded or built in.
func TestModules(t *testing.T) {
	for _, name := range []string{"veth", "tun"} {
		if _, err := os.Stat("/sys/module/" + name); err != nil {
			t.Errorf("module %s: %v", name, err)
		}
	}
}
