#pragma once
/* It offers nothing by name: mutex.c takes the place of a function of Swift's. */
