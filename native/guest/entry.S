// Entry point and interrupt stubs. The VMM enters in long mode with RSI = boot parameters.

    .section .entry, "ax"
    .globl _start
_start:
    cli
    cld
    lea guest_stack_top(%rip), %rsp
    // A GDT of our own: a hostile step may well give page 0, and the VMM's GDT with it, away.
    lgdt gdt_pointer(%rip)
    mov $0x10, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    push $0x08
    lea 1f(%rip), %rax
    push %rax
    lretq
1:
    mov %rsi, %rbx
    lea __bss_start(%rip), %rdi
    lea __bss_end(%rip), %rcx
    sub %rdi, %rcx
    shr $3, %rcx
    xor %eax, %eax
    rep stosq
    mov %rbx, %rdi
    call guest_main
1:  hlt
    jmp 1b

    .text
// Device interrupt: remember it and end it; the main loop asks the device.
    .globl device_interrupt
device_interrupt:
    push %rax
    movl $1, interrupt_pending(%rip)
    mov $0xfee000b0, %eax
    movl $0, (%rax)
    pop %rax
    iretq

// Timer: its only work is to end a hlt.
    .globl timer_interrupt
timer_interrupt:
    push %rax
    mov $0xfee000b0, %eax
    movl $0, (%rax)
    pop %rax
    iretq

    .globl spurious_interrupt
spurious_interrupt:
    iretq

// One stub of 16 bytes for each exception, so that the table needs no list of addresses.
    .balign 16
    .globl exception_stubs
exception_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push $0
    .endif
    push $vector
    jmp exception_common
    .set vector, vector + 1
    .endr
    .balign 16

exception_common:
    cld
    mov %rsp, %rdi
    and $-16, %rsp
    call fault
1:  hlt
    jmp 1b

    .section .rodata
    .balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .quad gdt

    .bss
    .balign 16
    .skip 16384
guest_stack_top:

    .section .note.GNU-stack, "", @progbits
