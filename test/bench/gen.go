// SPDX-License-Identifier: Apache-2.0

package main

//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -tags linux -target amd64,arm64 -go-package main -type record minimal minimal.bpf.c -- -I../../bpf -I../../bpf/include -O2 -g -Wall -Werror -mcpu=v2
//go:generate sed -i "1i // SPDX-License-Identifier: Apache-2.0\\n" minimal_x86_bpfel.go minimal_arm64_bpfel.go
