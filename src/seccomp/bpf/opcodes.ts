/** The codes of classic BPF as seccomp uses it (include/uapi/linux/bpf_common.h and filter.h). */

export const LD_W_ABS = 0x20;
export const LD_IMM = 0x00;
export const LD_MEM = 0x60;
/** Loads the size of the data, 64. */
export const LD_W_LEN = 0x80;
export const LDX_IMM = 0x01;
export const LDX_MEM = 0x61;
export const LDX_W_LEN = 0x81;
export const ST = 0x02;
export const STX = 0x03;
export const RET_K = 0x06;
export const RET_A = 0x16;
export const TAX = 0x07;
export const TXA = 0x87;
export const NEG = 0x84;

export const JA = 0x05;
export const JEQ_K = 0x15;
export const JGT_K = 0x25;
export const JGE_K = 0x35;
export const JSET_K = 0x45;

export const ADD_K = 0x04;
export const SUB_K = 0x14;
export const MUL_K = 0x24;
export const DIV_K = 0x34;
export const OR_K = 0x44;
export const AND_K = 0x54;
export const LSH_K = 0x64;
export const RSH_K = 0x74;
export const XOR_K = 0xa4;

/** Added to a jump or an arithmetic code: the operand is X instead of the constant. */
export const WITH_X = 0x08;

/** Words of scratch memory. */
export const MEMORY_WORDS = 16;

/** Bytes of `struct seccomp_data`, all that can be loaded. */
export const DATA_BYTES = 64;

/** `BPF_MAXINSNS`: more instructions no kernel takes. */
export const MAX_INSTRUCTIONS = 4096;
