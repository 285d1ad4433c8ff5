# A machine that fits in three sectors, for computers that are emulated themselves: it counts in memory and on its disk,
# compares both, and says so on its serial port, twice a second:
#
#   boot N mem=<16 hex digits> disk=<16 hex digits> ok      N taken over from the disk
#   tick N mem=<16 hex digits> disk=<16 hex digits> ok
#   BROKEN <what> N                                         and it stops
#
# Memory: 16384 numbers at 0x20000; number j is the latest count that is j modulo 16384. All are looked at each tick.
# Disk: sector 32 has the count; sectors 64 to 319 have, j of them, the latest count that is j modulo 256. One is looked at each tick.
# Sectors 328 to 335 are a page that is the same in memory and on the disk, but for the instant of its writing.
# A host that pulls the stick sees the disk's error first (error_policy='stop'): an error that gets here is BROKEN.
    .code16
    .set NUMBERS, 16384
    .set SECTOR, 0x6000            # a sector's buffer
    .set PAGE, 0x5000              # a page: the count, and zeros
    .global _start
_start:
    ljmp $0, $begin
begin:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    cld
    mov $1, %eax                   # the rest of this program
    mov $0x7e00, %bx
    mov $0x42, %dl
    call disk
    mov $2, %eax
    mov $0x8000, %bx
    mov $0x42, %dl
    call disk
    jmp main

# disk: one sector. eax: which; bx: where in memory; dl: 0x42 read, 0x43 write.
disk:
    mov %eax, packet + 8
    mov %bx, packet + 4
    mov $packet, %si
    mov %dl, %ah
    xor %al, %al
    mov drive, %dl
    int $0x13
    jc disk_broken
    ret
disk_broken:
    mov $text_disk, %si
    jmp broken

# write the text at si
say:
    lodsb
    test %al, %al
    jz 1f
    call put
    jmp say
1:  ret

put:
    push %ax
    mov $0x3fd, %dx
1:  inb %dx, %al
    test $0x20, %al
    jz 1b
    pop %ax
    mov $0x3f8, %dx
    outb %al, %dx
    ret

# write eax in decimal
decimal:
    mov $10, %ecx
    xor %bx, %bx
1:  xor %edx, %edx
    div %ecx
    push %dx
    inc %bx
    test %eax, %eax
    jnz 1b
2:  pop %ax
    add $'0', %al
    call put
    dec %bx
    jnz 2b
    ret

# write eax as 16 hexadecimal digits
hex:
    mov %eax, %ebx
    mov $8, %cx
1:  mov $'0', %al
    call put
    loop 1b
    mov $8, %cx
2:  rol $4, %ebx
    mov %bl, %al
    and $15, %al
    cmp $10, %al
    jb 3f
    add $'a' - '0' - 10, %al
3:  add $'0', %al
    call put
    loop 2b
    ret

packet:
    .byte 16, 0
    .word 1                        # sectors
    .word 0, 0                     # offset, segment
    .long 0, 0                     # first sector
drive:
    .byte 0
text_disk:
    .asciz "BROKEN disk "
    .org 510
    .word 0xaa55

main:
    sti
    mov $0x3f9, %dx                # no interrupts of the serial port
    xor %al, %al
    outb %al, %dx
    mov $0x2000, %ax
    mov %ax, %fs
    mov $PAGE, %di
    mov $2048, %cx
    xor %ax, %ax
    rep stosw
    call read_count
    mov %eax, count
    xor %edi, %edi                 # what memory is to hold
1:  call expected
    mov %eax, %fs:(, %edi, 4)
    inc %edi
    cmp $NUMBERS, %edi
    jb 1b
    mov $text_boot, %si
    call line

tick:
    call read_count
    cmp count, %eax
    mov $text_differ, %si
    jne broken
    call check_memory
    call check_sector

    incl count
    mov count, %eax
    mov %eax, %edi
    and $NUMBERS - 1, %edi
    mov %eax, %fs:(, %edi, 4)
    movzbl %al, %edi
    add $64, %edi
    call write_count               # its own sector first: see check_sector
    mov $32, %edi
    call write_count
    mov count, %eax
    mov %eax, PAGE
    movw $8, packet + 2
    mov $328, %eax
    mov $PAGE, %bx
    mov $0x43, %dl
    call disk
    movw $1, packet + 2
    mov $text_tick, %si
    call line

    mov $9, %cx                    # half a second
2:  mov 0x46c, %ax
3:  hlt
    cmp 0x46c, %ax
    je 3b
    loop 2b
    jmp tick

# eax: the count on the disk
read_count:
    mov $32, %eax
    mov $SECTOR, %bx
    mov $0x42, %dl
    call disk
    mov SECTOR, %eax
    ret

# the count into sector edi
write_count:
    mov count, %eax
    mov %eax, SECTOR
    mov %edi, %eax
    mov $SECTOR, %bx
    mov $0x43, %dl
    jmp disk

# eax: the latest count that is edi modulo NUMBERS
expected:
    mov count, %eax
    mov %eax, %edx
    sub %edi, %edx
    and $NUMBERS - 1, %edx
    sub %edx, %eax
    ret

check_memory:
    xor %edi, %edi
1:  call expected
    cmp %fs:(, %edi, 4), %eax
    mov $text_memory, %si
    jne broken
    inc %edi
    cmp $NUMBERS, %edi
    jb 1b
    ret

# One of the 256 sectors, another each tick. After a power cut between its two writes, one sector may be ahead of the count.
check_sector:
    mov count, %eax
    imul $7, %eax, %edi
    and $255, %edi
    push %edi
    lea 64(%edi), %eax
    mov $SECTOR, %bx
    mov $0x42, %dl
    call disk
    pop %edi
    mov count, %eax
    mov %eax, %edx
    sub %edi, %edx
    and $255, %edx
    sub %edx, %eax                 # the latest count of that sector; none yet: 0
    jg 1f
    xor %eax, %eax
1:  cmp SECTOR, %eax
    je 2f
    add $256, %eax
    cmp SECTOR, %eax
    mov $text_sector, %si
    jne broken
2:  ret

# "<text at si> N mem=… disk=… ok"; what is on the disk is read again for it
line:
    call say
    mov count, %eax
    call decimal
    mov $text_mem, %si
    call say
    mov count, %eax
    call hex
    mov $text_on_disk, %si
    call say
    call read_count
    call hex
    mov $text_ok, %si
    jmp say

broken:
    call say
    mov count, %eax
    call decimal
    mov $text_end, %si
    call say
1:  hlt
    jmp 1b

count:        .long 0
text_boot:    .asciz "boot "
text_tick:    .asciz "tick "
text_mem:     .asciz " mem="
text_on_disk: .asciz " disk="
text_ok:      .asciz " ok\n"
text_end:     .asciz "\n"
text_differ:  .asciz "BROKEN the disk has another count than the memory's "
text_memory:  .asciz "BROKEN memory at "
text_sector:  .asciz "BROKEN a sector at "
    .org 1536
