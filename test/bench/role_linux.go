// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
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

// Roles of this executable: the first argument.
const (
	roleServer  = "server"  // of the load; starts the client
	roleClient  = "client"  // of the load
	roleExec    = "exec"    // mounts tracefs for the tool that it becomes
	roleEmpty   = "empty"   // the floor: beltrace's hooks, with programs that do nothing
	roleMinimal = "minimal" // one record an event
	roleFlood   = "flood"   // of SYNs
	roleLoad    = "load"    // on a server of its own: kind, length, rate, tool's process
	roleHTTP    = "http"    // the Go server
)

// play plays the role that the arguments name, or returns errNoRole.
func play(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errNoRole
	}
	switch role, args := args[0], args[1:]; role {
	case roleServer, roleClient:
		length, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		pause, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		if role == roleServer {
			return serve(length, pause)
		}
		return dial(length, pause)
	case roleFlood:
		length, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return flood(length)
	case roleLoad:
		l, err := readLoad(args)
		if err != nil {
			return err
		}
		return l.run()
	case roleHTTP:
		return serveHTTP(ctx)
	case roleExec:
		return become(args)
	case roleEmpty:
		return watchEmpty(ctx, strings.Split(args[0], ","))
	case roleMinimal:
		return watchMinimal(ctx, strings.Split(args[0], ","))
	default:
		return fmt.Errorf("unknown role %q", role)
	}
}

// become replaces this process, which has a mount namespace of its own, by a tool that wants tracefs to be mounted.
func become(argv []string) error {
	const tracing = "/sys/kernel/tracing"
	if _, err := os.Stat(tracing + "/events"); err != nil {
		if err := unix.Mount("tracefs", tracing, "tracefs", 0, ""); err != nil {
			return fmt.Errorf("mount tracefs: %w", err)
		}
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, argv, os.Environ())
}

// readLoad reads the arguments of roleLoad.
func readLoad(args []string) (l serverLoad, err error) {
	var errs [3]error
	l.kind = args[0]
	l.length, errs[0] = time.ParseDuration(args[1])
	l.rate, errs[1] = strconv.ParseFloat(args[2], 64)
	l.tool, errs[2] = strconv.Atoi(args[3])
	return l, errors.Join(errs[:]...)
}
