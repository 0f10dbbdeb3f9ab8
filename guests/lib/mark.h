/* Marks for the instruction-counting plug-in of tests/bench (tests/bench/count.c): a NOP that nobody writes
 * by chance, with a number in its displacement. On anything but that plug-in it is a NOP. */
#ifndef GUESTS_LIB_MARK_H
#define GUESTS_LIB_MARK_H

#define MARK_MAGIC 0x45530000 /* the displacement's upper half; the lower is the mark */

enum mark {
    MARK_BEGIN = 1, /* of one try */
    MARK_END = 2,
    MARK_RESULT = 3, /* of all tries of one kind */
    MARK_FORGET = 4, /* the tries so far */
    MARK_READY = 5,  /* this guest works now */
    MARK_DONE = 6,
    MARK_SIDE_A = 7, /* guests that spin, each with its own */
    MARK_SIDE_B = 8,
    MARK_TICK = 9, /* a guest has taken its timer's interrupt */
};

/* NOP with ModRM 80h: [RAX + disp32] (SDM vol. 2, NOP); `number` is a constant. */
#define MARK(number)                                                                                         \
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" : : "i"(MARK_MAGIC | (number)) : "memory")

#endif
