"""Prints what a C compiler needs to build a program that runs plans."""

from tf_rigl.native import linking

if __name__ == "__main__":
    print(*linking.flags())
