// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	_ "beltrace/internal/testkit" // has the flag -update
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"beltrace": func() { os.Exit(run(os.Args[1:]...)) },
		"traffic":  func() { traffic(os.Args[1]) },
		"nobody":   func() { os.Exit(asNobody(os.Args[1:])) },
	})
}

// traffic makes n connections over loopback, one after the other, each with 3 bytes from the client.
func traffic(n string) {
	times, err := strconv.Atoi(n)
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	for range times {
		if err := exchange(ln); err != nil {
			panic(err)
		}
	}
	fmt.Println("made", times, "connections")
}

func exchange(ln net.Listener) error {
	client, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := client.Write([]byte("abc")); err != nil {
		return err
	}
	_, err = server.Read(make([]byte, 3))
	return err
}

// asNobody gives up root, if there is something to give up, and becomes the program.
func asNobody(args []string) int {
	const nobody = 65534
	if os.Geteuid() == 0 {
		if err := setUser(nobody, nobody, nil); err != nil {
			panic(err)
		}
	}
	// This program stands in a directory that only root may enter; its own link leads there all the same.
	os.Args = args
	return run(args[1:]...)
}

// TestScripts runs what needs no kernel to watch.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		UpdateScripts:       flag.Lookup("update").Value.String() == "true",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", data)
			e.Setenv("TZ", "UTC")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "userns" {
				return false, fmt.Errorf("no condition %q", name)
			}
			return exec.Command("unshare", "-Ur", "true").Run() == nil, nil // not in a chroot, and where a host forbids it
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exitStatus, "lines": lines, "append": appendLine},
	})
}

// exitStatus is the command "status N CMD ARGS...": CMD must exit with N.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N CMD ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// lines is the command "lines N FILE": FILE (also stdout, stderr) has N lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for _, c := range ts.ReadFile(args[1]) {
		if c == '\n' {
			got++
		}
	}
	if got != want {
		ts.Fatalf("%s has %d lines, want %d", args[1], got, want)
	}
}

// appendLine is the command "append FILE N": it adds a line of N bytes that has an end.
func appendLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(strings.Repeat("x", n) + "\n")
	ts.Check(err)
	ts.Check(f.Close())
}
